import json
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.oauth.return_to import MAX_LENGTH, is_return_path, parse_return_to
from tests.unit.oauth.browser_urls import resolve

ORIGIN = "https://app.example"
DATA = Path(__file__).parents[2] / "data"


def _corpus(name: str) -> list[str]:
    """Return the file's values: one JSON string a line, so that control characters have a spelling."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="ascii").splitlines()]


REFUSED = _corpus("return_to.txt")
ACCEPTED = _corpus("return_to_accepted.txt")


@pytest.mark.parametrize("value", REFUSED, ids=ascii)
def test_what_could_leave_this_origin_becomes_the_default(value: str) -> None:
    assert parse_return_to(value) == "/"
    assert parse_return_to(value, default="/start") == "/start"


@pytest.mark.parametrize("value", ACCEPTED, ids=ascii)
def test_a_path_of_this_origin_survives_byte_for_byte(value: str) -> None:
    assert parse_return_to(value, default="/start") == value


def test_the_corpora_hold_hundreds_of_different_values() -> None:
    assert len(REFUSED) == len(set(REFUSED)) > 1000
    assert len(ACCEPTED) == len(set(ACCEPTED)) >= 100


def test_the_browser_model_of_these_tests_does_leave_the_origin() -> None:
    for value in [
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "https:\\\\evil.example",
        "\\\\evil.example",
    ]:
        assert resolve(value, ORIGIN) == ("https://evil.example", "/")
    assert resolve("/a/../%2e/b", ORIGIN) == (ORIGIN, "/b")
    assert resolve("javascript:alert(1)", ORIGIN)[0] == "javascript:alert(1)"


def test_no_value_is_the_default() -> None:
    assert parse_return_to(None) == "/"
    assert parse_return_to(None, default="/start") == "/start"


def test_an_over_long_value_is_refused_and_not_cut() -> None:
    longest = "/" + "a" * (MAX_LENGTH - 1)
    assert parse_return_to(longest) == longest
    assert parse_return_to(longest + "a") == "/"


_PIECES = st.sampled_from(
    [
        "/", "\\", "//", ".", "..", "%2e", "%2f", "%5c", "%25", "%09", "%0a", "%00", "\t", "\n", "\r", "\x00", " ", "@",
        ":", "?", "#", ";", "&", "%", "evil.example", "https:", "javascript:", "bff", "%62ff", "login", "page", "a",
        "\u3002", "\uff0f",
    ]
)  # fmt: skip
_VALUES = st.one_of(
    st.lists(_PIECES, max_size=8).map("".join),
    st.text(max_size=30),
    st.text(max_size=20).map("/".__add__),
)


@given(_VALUES)
def test_what_is_accepted_stays_on_this_origin_for_every_reader(value: str) -> None:
    accepted = parse_return_to(value)
    assert accepted in (value, "/")
    for reading in (accepted, unquote(accepted)):
        origin, path = resolve(reading, ORIGIN)
        assert origin == ORIGIN
        assert not path.startswith("//")
        assert path != "/bff"
        assert not path.startswith("/bff/")
    joined = urlsplit(urljoin(ORIGIN + "/page", accepted))
    assert (joined.scheme, joined.netloc) == ("https", "app.example")


@given(st.lists(st.sampled_from(["a", "b1", "-", "caf%C3%A9", "x%20y", "@", ":", ";"]), max_size=6))
def test_ordinary_paths_are_accepted(segments: list[str]) -> None:
    assert is_return_path("/" + "/".join(segments))
