import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.oauth.json_document import MAX_DEPTH, MalformedDocument, parse_object


def test_an_object_is_returned_with_all_its_values() -> None:
    document = b'{"a": 1, "b": [true, null, 1.5, {"c": "\\u00fc"}], "d": -9223372036854775808}'
    assert parse_object(document, max_size=1000) == {"a": 1, "b": [True, None, 1.5, {"c": "ü"}], "d": -(2**63)}


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"   ",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": 1} {"a": 1}',
        b'{"a": 1, "a": 1}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"x": [{"a": 1, "a": 2}]}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": -1e999}',
        b'{"a": 9223372036854775808}',
        b'{"a": -9223372036854775809}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"\\udc00": 1}',
        b'{"a": ["\\ud83d"]}',
        b'{"a": "\xff"}',
        b'{"a": "\xc0\xaf"}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\x00"}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda document: repr(document[:24]),
)
def test_what_is_not_one_unambiguous_object_is_refused(document: bytes) -> None:
    with pytest.raises(MalformedDocument):
        parse_object(document, max_size=1_000_000)


def test_where_members_may_repeat_they_must_say_the_same_and_be_texts() -> None:
    twice = b'{"iss": "a", "sub": "b", "iss": "a"}'
    assert parse_object(twice, max_size=1000, may_repeat=True) == {"iss": "a", "sub": "b"}
    with pytest.raises(MalformedDocument):
        parse_object(twice, max_size=1000)
    for other in (
        b'{"iss": "a", "iss": "b"}',
        b'{"iss": "a", "iss": 1}',
        b'{"iat": 1, "iat": 1}',
        b'{"a": [], "a": []}',
    ):
        with pytest.raises(MalformedDocument):
            parse_object(other, max_size=1000, may_repeat=True)


def test_nesting_is_limited() -> None:
    deepest = b'{"a":' * MAX_DEPTH + b"{}" + b"}" * MAX_DEPTH
    assert parse_object(deepest, max_size=1000)
    with pytest.raises(MalformedDocument):
        parse_object(b'{"a":' + deepest + b"}", max_size=1000)


def test_the_size_limit_is_the_last_size_accepted() -> None:
    document = b'{"a": 1}'
    assert parse_object(document, max_size=len(document)) == {"a": 1}
    with pytest.raises(MalformedDocument):
        parse_object(document, max_size=len(document) - 1)


def test_an_error_does_not_carry_the_document() -> None:
    with pytest.raises(MalformedDocument) as caught:
        parse_object(b'{"access_token": "secret"', max_size=1000)
    assert "secret" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(document: bytes) -> None:
    with contextlib.suppress(MalformedDocument):
        assert isinstance(parse_object(document, max_size=200), dict)
