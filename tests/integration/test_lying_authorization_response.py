"""The authorization response: what the provider's redirect, or somebody's imitation of one, may not get away with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from tests.support.lies import Bend
from tests.support.login_lies import LoginLie, LoginQuirk, assert_accepted, assert_refused
from tests.support.stage import Scene

SCRIPT = "<script>alert(document.domain)</script>"


def lie(rule: str, reason: str, *, query: Callable[[str], str] = str, **response: Any) -> LoginLie:
    """A bent response; nothing is asked of the provider after it."""
    return LoginLie(rule, Bend(response=response, query=query), reason, calls=())


def appended(text: str) -> Callable[[str], str]:
    return lambda query: f"{query}&{text}"


def repeated(name: str) -> Callable[[str], str]:
    return lambda query: f"{query}&{urlencode([pair for pair in parse_qsl(query) if pair[0] == name])}"


def resigned(query: str) -> str:
    """The state with its last character changed to another that base64url allows there."""
    parameters = dict(parse_qsl(query))
    last = parameters["state"][-1]
    return urlencode({**parameters, "state": parameters["state"][:-1] + ("A" if last != "A" else "E")})


LIES = [
    lie("the response's iss is another provider's", "callback.issuer", iss="https://attacker.example"),
    lie("the response's iss differs by a slash at the end", "callback.issuer", query=lambda query: f"{query}%2F"),
    lie("the response's iss differs in case", "callback.issuer", query=lambda query: query.replace("acme", "Acme")),
    lie("the response's iss is empty", "callback.issuer", iss=""),
    lie("the response's iss is missing though metadata promises it", "callback.issuer_missing", iss=...),
    lie("the response's iss comes twice", "callback.malformed", query=repeated("iss")),
    lie("the response's state comes twice", "callback.malformed", query=repeated("state")),
    lie("the response's code comes twice", "callback.malformed", query=repeated("code")),
    lie("a parameter nobody knows comes twice", "callback.malformed", query=appended("x=1&x=2")),
    lie("the response's state is missing", "callback.malformed", state=...),
    lie("the response's state is empty", "callback.malformed", state=""),
    lie("the response's state is not ours", "callback.state_forged", state="c3RhdGU-c3RhdGU-c3RhdGU-c3RhdGU"),
    lie("the response's state has a changed signature", "callback.state_forged", query=resigned),
    lie("the response's state is thousands of characters long", "callback.malformed", state="A" * 15_000),
    lie("the response's code is missing", "callback.code_missing", code=...),
    lie("the response's code is empty", "callback.code", code=""),
    lie("the response's code has a line break", "callback.code", code="abc\r\nX-Injected: 1"),
    lie("the response's code is too long", "callback.code", code="c" * 5000),
    lie("the response's code is not ASCII", "callback.code", code="c\u00f6de"),
    lie("the answer is an error", "provider.access_denied", code=..., error="access_denied"),
    lie("an error comes with another iss", "callback.issuer", code=..., error="access_denied", iss="https://a.example"),
    lie("an error comes without iss", "callback.issuer_missing", code=..., error="access_denied", iss=...),
    lie("an error is a script", "provider.other", code=..., error=SCRIPT, error_description=SCRIPT, error_uri=SCRIPT),
    lie("a code comes with an error", "callback.code_with_error", error="server_error"),
    lie("an access token is in the query", "callback.foreign_answer", access_token="at-" * 9, token_type="Bearer"),
    lie("an ID token is in the query", "callback.foreign_answer", id_token="a.b.c"),
    lie("a signed response is in the query", "callback.foreign_answer", response="a.b.c"),
    lie("the query is longer than any answer", "callback.malformed", padding="x" * 20_000),
    lie("the query has a broken escape", "callback.malformed", query=appended("x=%zz")),
    lie("the query is not UTF-8", "callback.malformed", query=appended("x=%ff%fe")),
]

QUIRKS = [
    LoginQuirk(
        "the answer has parameters nobody knows", Bend(response={"session_state": "abc.def", "scope": "openid"})
    ),
    LoginQuirk("the answer has empty pairs", Bend(query=lambda query: f"&{query}&&")),
]


@pytest.mark.parametrize("scene", LIES, ids=str)
def test_a_login_is_refused_if(scene: LoginLie, told: Callable[[Scene[Any]], Any]) -> None:
    refused = told(scene)
    assert_refused(scene, refused)
    page = refused.answer.body.decode()
    assert "alert(" not in page
    assert "X-Injected" not in page
    assert "x-injected" not in refused.answer.headers


@pytest.mark.parametrize("scene", QUIRKS, ids=str)
def test_a_login_is_accepted_though(scene: LoginQuirk, told: Callable[[Scene[Any]], Any]) -> None:
    assert_accepted(scene, told(scene))
