"""Whether a token is the one asked for, by what the answer says and by what lies open in the token."""

from __future__ import annotations

import json

import pytest

from bff.errors import InvalidProviderAnswer
from bff.oauth.base64url import encode
from bff.oauth.granted_token import check_audience_asked_for, granted_scope


def jwt(claims: object, header: object = None) -> str:
    parts = (header if header is not None else {"alg": "RS256"}, claims)
    return ".".join((*(encode(json.dumps(part).encode()) for part in parts), "sig"))


@pytest.mark.parametrize(
    ("told", "asked", "known", "granted"),
    [
        (None, ("a",), ("b",), ("a",)),
        (None, (), ("b",), ("b",)),
        (("a", "b"), ("a",), (), ("a", "b")),
        (("x",), (), ("b",), ("x",)),
        (("a",), ("a", "offline_access"), (), ("a",)),
        (("User.Read", "openid"), ("https://graph.example/.default",), (), ("User.Read", "openid")),
        ((), (), ("b",), ()),
    ],
)
def test_the_scope_is_told_or_as_asked(
    told: tuple[str, ...] | None, asked: tuple[str, ...], known: tuple[str, ...], granted: tuple[str, ...]
) -> None:
    assert granted_scope(told, asked=asked, known=known) == granted


@pytest.mark.parametrize(
    ("told", "asked"),
    [(("a",), ("a", "b")), ((), ("a",)), (("A",), ("a",)), (("a",), ("https://x/.default", "b")), ((), (".default",))],
)
def test_less_than_asked_is_refused(told: tuple[str, ...], asked: tuple[str, ...]) -> None:
    with pytest.raises(InvalidProviderAnswer):
        granted_scope(told, asked=asked, known=("a", "b"))


@pytest.mark.parametrize(
    ("audience", "asked"),
    [
        ("https://api.example/v1", "https://api.example/v1"),
        ("https://api.example/v1/", "https://api.example/v1"),
        ("https://api.example/v1", "https://api.example/v1/"),
        ("https://api.example", "https://api.example/v1"),
        (["x", "api"], "api"),
    ],
)
def test_an_audience_that_is_the_one_asked_for_or_more_general_is_taken(audience: object, asked: str) -> None:
    check_audience_asked_for(jwt({"aud": audience}), [asked])


@pytest.mark.parametrize(
    ("audience", "asked"),
    [
        ("https://api.example/v2", "https://api.example/v1"),
        ("https://api.example/v1/x", "https://api.example/v1"),
        ("https://api.exampl", "https://api.example/v1"),
        ("https://", "https://api.example/v1"),
        ("https:", "https://api.example/v1"),
        ("", "https://api.example/v1"),
        ("/", "/"),
        ("urn", "urn/x"),
        ([], "api"),
        ([["api"]], "api"),
        (None, "api"),
        ({"api": 1}, "api"),
        (True, "api"),
    ],
)
def test_another_audience_is_refused(audience: object, asked: str) -> None:
    with pytest.raises(InvalidProviderAnswer):
        check_audience_asked_for(jwt({"aud": audience}), [asked])


@pytest.mark.parametrize(
    "token",
    [
        "opaque", "a.b.c", jwt([]), jwt({"aud": "x"}, header={}), jwt({"aud": "x"}, header=[]),
        jwt({"aud": "x"}) + ".x.y",
    ],
)  # fmt: skip
def test_a_token_that_cannot_be_read_is_believed_in(token: str) -> None:
    check_audience_asked_for(token, ["api"])


def test_where_no_audience_was_asked_for_none_is_looked_at() -> None:
    check_audience_asked_for(jwt({"aud": "x"}), [])
