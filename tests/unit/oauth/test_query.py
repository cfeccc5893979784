import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.oauth.query import MalformedQuery, parse_parameters


@pytest.mark.parametrize(
    "query, parameters",
    [
        ("", {}),
        ("&&", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&&b=2&", {"a": "1", "b": "2"}),
        ("a", {"a": ""}),
        ("a=", {"a": ""}),
        ("=1", {"": "1"}),
        ("a=1=2", {"a": "1=2"}),
        ("a=b+c%20d%2Be", {"a": "b c d+e"}),
        ("a%5B%5D=%26%3D", {"a[]": "&="}),
        ("a=caf%C3%A9", {"a": "café"}),
        ("a=%00", {"a": "\x00"}),
    ],
)
def test_parameters_are_decoded_once(query: str, parameters: dict[str, str]) -> None:
    assert parse_parameters(query, max_size=100) == parameters
    assert parse_parameters(query.encode(), max_size=100) == parameters


@pytest.mark.parametrize(
    "query",
    [
        "a=1&a=1",
        "a=1&a=2",
        "a&a",
        "a=1&%61=1",
        "a=1&b=2&a=",
        "a=%",
        "a=%2",
        "a=%zz",
        "a=%u0041",
        "%=1",
        "a=%ff",
        "a=%c0%af",
        "a=%ed%a0%80",
        "a=b c",
        "a=b#c",
        "a=\x00",
        "a=b\r\n",
        "a=é",
        "a=" + "b" * 99,
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(query: str) -> None:
    with pytest.raises(MalformedQuery):
        parse_parameters(query, max_size=100)


def test_raw_octets_are_refused() -> None:
    with pytest.raises(MalformedQuery):
        parse_parameters(b"a=\xff", max_size=100)


@given(st.one_of(st.binary(max_size=50), st.text(max_size=50)))
def test_any_query_is_read_or_refused(query: bytes | str) -> None:
    try:
        parameters = parse_parameters(query, max_size=1000)
    except MalformedQuery:
        return
    assert all(isinstance(value, str) for value in parameters.values())
