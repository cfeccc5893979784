"""What the application is told in its own address about a login that showed nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.oauth.return_to import is_return_path, with_login_error, without_login_error

PATHS = st.from_regex(r"/[a-z/]{0,9}(\?[a-z=&_]{0,12})?(#[a-z?=&]{0,6})?", fullmatch=True)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/", "/?login_error=login_required"),
        ("/a?b=1", "/a?b=1&login_error=login_required"),
        ("/a#top", "/a?login_error=login_required#top"),
        ("/a?b#c?d", "/a?b&login_error=login_required#c?d"),
        ("/a?login_error=x", "/a?login_error=login_required"),
        ("/a?login_error=x&b=1&login_error", "/a?b=1&login_error=login_required"),
        ("/a#?login_error=x", "/a?login_error=login_required#?login_error=x"),
    ],
)
def test_it_is_said_once_before_the_fragment(path: str, told: str) -> None:
    assert with_login_error(path, "login_required") == told


@given(PATHS)
def test_it_can_be_taken_back(path: str) -> None:
    clean = without_login_error(path)
    assert without_login_error(clean) == clean
    assert (
        without_login_error(with_login_error(path, "login_required")).rstrip("?&") == clean.rstrip("?&") or "#" in path
    )
    if is_return_path(path):
        assert is_return_path(with_login_error(path, "login_required"))


@pytest.mark.parametrize("path", ["/", "/a?", "/a?&", "/a?b=login_error", "/login_error=1", "/a?xlogin_error=1"])
def test_an_address_without_it_stays_as_it_is(path: str) -> None:
    assert without_login_error(path) == path
