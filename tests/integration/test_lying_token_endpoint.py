"""The token endpoint's answer to a code, and UserInfo's to the access token that came with it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.lies import Answer, Bend, Tokens, html, json_answer
from tests.support.login_lies import LoginLie, LoginQuirk, Refused, assert_accepted, assert_refused
from tests.support.stage import Scene

NAMED = {"name": "Ada"}
"""With a name in the ID token UserInfo is not asked."""


def answered(rule: str, reason: str, answer: Answer, *, status: int = 503) -> LoginLie:
    """The whole answer of the token endpoint is something else."""
    return LoginLie(rule, Bend(tokens=Tokens(answer=answer)), reason, status)


def member(rule: str, reason: str, *, status: int = 400, **members: Any) -> LoginLie:
    """One member of an answer that is otherwise in order."""
    return LoginLie(rule, Bend(tokens=Tokens(members=members)), reason, status)


def userinfo(rule: str, reason: str, *, status: int = 400, deployment: str = "main", **bend: Any) -> LoginLie:
    """UserInfo's answer is bent."""
    return LoginLie(rule, Bend(**bend), reason, status, ("token", "userinfo"), deployment)


BOMB = gzip.compress(b'{"access_token":"' + b"a" * 40_000_000 + b'"}')
TWICE = b'{"access_token":"one-access-token","access_token":"another-one","token_type":"Bearer","id_token":"a.b.c"}'

LIES = [
    answered("the token endpoint answers an empty object", "token.token_type", json_answer(), status=400),
    answered("the token endpoint answers a page", "token.malformed", html()),
    answered("the token endpoint answers nothing", "token.malformed", Answer()),
    answered("the token endpoint answers a list", "token.malformed", Answer(body=b"[]")),
    answered("the token endpoint answers half an object", "token.malformed", Answer(body=b'{"access_token":"abc",')),
    answered("the token endpoint answers a member twice", "token.malformed", Answer(body=TWICE)),
    answered("the token endpoint answers JSON of great depth", "token.malformed", Answer(body=b'{"a":' * 5000)),
    answered("the token endpoint answers form encoding", "token.malformed", Answer(body=b"access_token=abc")),
    answered("the token endpoint answers 300 KB", "token.malformed", json_answer(access_token="a" * 300_000)),
    answered("the token endpoint answers a megabyte", "provider.too_large", json_answer(access_token="a" * 1_000_000)),
    answered(
        "the token endpoint answers 40 KB that unfold to 40 MB",
        "provider.too_large",
        Answer(body=BOMB, headers=(("Content-Encoding", "gzip"),)),
    ),
    answered("the token endpoint answers tokens with an error", "token.error_with_success", json_answer(error="x")),
    answered("the token endpoint answers that the code is spent", "token.invalid_grant",
             json_answer(400, error="invalid_grant"), status=400),
    answered("the token endpoint invents an error", "token.unknown_error", json_answer(403, error="invalid_code"),
             status=400),
    answered("the token endpoint refuses the client", "token.invalid_client", json_answer(401, error="invalid_client")),
    answered("the token endpoint refuses without a word", "token.malformed", Answer(400, content_type=None)),
    answered("the token endpoint refuses with a page", "token.malformed", html(400)),
    answered("the token endpoint refuses without an error", "token.refused_without_error", json_answer(400)),
    answered("the token endpoint's error is a list", "token.refused_without_error", json_answer(400, error=["x"])),
    answered("the token endpoint fails", "token.unavailable", json_answer(500, error="invalid_grant")),
    answered("the token endpoint is down", "token.unavailable", html(503)),
    answered("the token endpoint has had enough", "token.unavailable", json_answer(429, error="invalid_grant")),
    answered("the token endpoint redirects", "token.status",
             Answer(307, b"{}", headers=(("Location", "http://127.0.0.1:9/collect"),))),
    answered("the token endpoint answers 201", "token.status", json_answer(201)),
    answered("the token endpoint hangs up", "provider.protocol", Answer(cut=0)),
    answered("the token endpoint hangs up in mid answer", "provider.protocol", Answer(body=b'{"a":1}', cut=3)),
    answered("the token endpoint speaks no HTTP", "provider.protocol", Answer(raw=b"SSH-2.0-OpenSSH_9.9\r\n")),
    answered("the token endpoint says twice how long its answer is", "provider.protocol",
             Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}\r")),
    answered("the token endpoint answers a byte at a time", "provider.timeout", Answer(body=b" " * 200, drips=True)),
    answered("the token endpoint never answers", "provider.timeout", Answer(hangs=True)),
    member("the access token is missing", "token.access_token", access_token=...),
    member("the access token is empty", "token.access_token", access_token=""),
    member("the access token is a number", "token.access_token", access_token=12345678901234567),
    member("the access token is a list", "token.access_token", access_token=["one-access-token"]),
    member("the access token would begin a header of its own", "token.access_token",
           access_token="abc\r\nX-Injected: 1"),
    member("the access token ends in a line feed", "token.access_token", access_token="abcdefgh\n"),
    member("the access token is not ASCII", "token.access_token", access_token="t\u00f6ken-t\u00f6ken"),
    member("the access token is longer than a header may be", "token.access_token", access_token="a" * 20_000),
    member("the token type is missing", "token.token_type", token_type=...),
    member("the token type is another", "token.token_type", token_type="DPoP"),
    member("the token type is a list", "token.token_type", token_type=["Bearer"]),
    member("the access token expired before it came", "token.expires_in", expires_in=-1),
    member("the lifetime is true", "token.expires_in", expires_in=True),
    member("the lifetime is a word", "token.expires_in", expires_in="soon"),
    member("the lifetime is a list", "token.expires_in", expires_in=[300]),
    member("the refresh token is a number", "token.refresh_token", refresh_token=5),
    member("the refresh token has a line break", "token.refresh_token", refresh_token="refresh\ntoken"),
    member("the scope is a number", "token.scope", scope=7),
    member("the ID token is a number", "token.id_token", id_token=7),
    member("the ID token has a space", "token.id_token", id_token="a.b.c d"),
    member("there is no ID token", "id_token.missing", id_token=...),
    member("the ID token is null", "id_token.missing", id_token=lambda _: None),
    userinfo("UserInfo speaks of another user", "userinfo.subject", userinfo={"sub": "user-of-somebody-else"}),
    userinfo("UserInfo speaks of nobody", "userinfo.subject", userinfo={"sub": ...}),
    userinfo("UserInfo's subject is a number", "userinfo.subject", userinfo={"sub": 1}),
    userinfo("UserInfo's subject is a list", "userinfo.subject", userinfo={"sub": ["user"]}),
    userinfo("UserInfo must be asked and answers a page", "userinfo.content_type", status=503, deployment="strict",
             userinfo_answer=html()),
    userinfo("UserInfo must be asked and fails", "userinfo.unavailable", status=503, deployment="strict",
             userinfo_answer=html(500)),
    userinfo("UserInfo must be asked and refuses the token", "userinfo.status", status=503, deployment="strict",
             userinfo_answer=json_answer(401, error="invalid_token")),
    userinfo("UserInfo must be asked and answers in a language nobody agreed on", "userinfo.signed", status=503,
             deployment="strict", userinfo_answer=Answer(body=b"a.b.c", content_type="application/jwt")),
    userinfo("UserInfo must be asked and answers a member twice", "userinfo.malformed", status=503,
             deployment="strict", userinfo_answer=Answer(body=b'{"sub":"a","sub":"b"}')),
]  # fmt: skip

QUIRKS = [
    LoginQuirk("nothing is odd"),
    LoginQuirk("nothing is odd where UserInfo must be asked and requests are pushed", deployment="strict"),
    LoginQuirk("the token type is in lower case", Bend(tokens=Tokens(members={"token_type": "bearer"}))),
    LoginQuirk("the token type is in capitals", Bend(tokens=Tokens(members={"token_type": "BEARER"}))),
    LoginQuirk("nobody says how long the access token lives", Bend(tokens=Tokens(members={"expires_in": ...}))),
    LoginQuirk("the lifetime is in quotes", Bend(tokens=Tokens(members={"expires_in": "300"}))),
    LoginQuirk("the lifetime is a fraction", Bend(tokens=Tokens(members={"expires_in": 299.5}))),
    LoginQuirk("the lifetime is a thousand years", Bend(tokens=Tokens(members={"expires_in": 31_536_000_000}))),
    LoginQuirk("there is no refresh token", Bend(tokens=Tokens(members={"refresh_token": ...}))),
    LoginQuirk("the refresh token is null", Bend(tokens=Tokens(members={"refresh_token": lambda _: None}))),
    LoginQuirk("the scope is missing", Bend(tokens=Tokens(members={"scope": ...}))),
    LoginQuirk("the scope is empty", Bend(tokens=Tokens(members={"scope": ""}))),
    LoginQuirk("the answer has members nobody knows", Bend(tokens=Tokens(members={"iat": 1, "ext": {"a": [None]}}))),
    LoginQuirk("the ID token has the name already, so UserInfo is not asked", Bend(tokens=Tokens(claims=NAMED)),
               claims=NAMED, calls=("token",)),
    LoginQuirk("UserInfo fails where it is not needed", Bend(userinfo_answer=html(500)), claims={}),
    LoginQuirk("UserInfo answers a page where it is not needed", Bend(userinfo_answer=html()), claims={}),
    LoginQuirk("UserInfo refuses the token where it is not needed",
               Bend(userinfo_answer=json_answer(401, error="invalid_token")), claims={}),
    LoginQuirk("UserInfo contradicts the ID token, which wins",
               Bend(tokens=Tokens(claims=NAMED), userinfo={"name": "Eve", "iss": "x", "aud": "y"}),
               claims=NAMED, calls=("token", "userinfo"), deployment="strict"),
    LoginQuirk("UserInfo is in JSON by another spelling",
               Bend(userinfo_answer=Answer(body=b'{"sub":"user-of-userinfo-is-in-json-by-another-spelling","name":"\xc3\x84"}',
                                           content_type="Application/JSON ; Charset=UTF-8")),
               claims={"name": "\u00c4"}),
]  # fmt: skip


@pytest.mark.parametrize("scene", LIES, ids=str)
def test_a_login_is_refused_if(scene: LoginLie, told: Callable[[Scene[Any]], Any]) -> None:
    refused: Refused = told(scene)
    assert_refused(scene, refused)
    assert b"alert(" not in refused.answer.body
    assert "x-injected" not in refused.answer.headers


@pytest.mark.parametrize("scene", QUIRKS, ids=str)
def test_a_login_is_accepted_though(scene: LoginQuirk, told: Callable[[Scene[Any]], Any]) -> None:
    assert_accepted(scene, told(scene))
