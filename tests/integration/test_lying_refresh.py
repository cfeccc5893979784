"""The token endpoint's answer to a refresh token: a session ends for `invalid_grant` and for nothing less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.forgeries import (
    signed_by_stranger,
    signed_with_client_secret,
    text,
    unsigned,
    with_broken_signature,
)
from tests.support.lies import Answer, Tokens, ago, ahead, html, json_answer
from tests.support.refresh_lies import Refreshed, RefreshQuirk, RefreshScene, assert_ended, assert_lie_unused
from tests.support.stage import Scene

US = "timesheets"
SCRIPT = "<script>alert(1)</script>"


def outage(rule: str, answer: Answer) -> RefreshScene:
    """Nothing that can be used is answered while the access token has expired."""
    return RefreshScene(rule, Tokens(answer=answer), is_outage=True, recovers=True)


def operators_fault(rule: str, answer: Answer) -> RefreshScene:
    """The provider refuses the client, not the user; the gateway takes half a minute before it asks again."""
    return RefreshScene(rule, Tokens(answer=answer), is_outage=True)


def outage_meanwhile(rule: str, answer: Answer) -> RefreshScene:
    """The same while the access token at hand is good."""
    return RefreshScene(rule, Tokens(answer=answer), is_alive=True, is_outage=True)


def ended(rule: str, answer: Answer) -> RefreshScene:
    """The provider says that the grant is over."""
    return RefreshScene(rule, Tokens(answer=answer))


def id_token(rule: str, reason: str, tokens: Tokens) -> tuple[RefreshScene, str]:
    """New tokens come, the refresh token rotated, with an ID token that must not be believed."""
    return RefreshScene(rule, tokens, is_alive=True), f"id_token.{reason}"


OUTAGES = [
    outage("the token endpoint fails", json_answer(500)),
    outage("the token endpoint fails and says invalid_grant", json_answer(500, error="invalid_grant")),
    outage("the token endpoint is down for maintenance", html(503)),
    outage("the token endpoint asks for patience",
           Answer(429, b'{"error":"slow_down"}', headers=(("Retry-After", "1"),))),
    outage("the token endpoint has had enough and says invalid_grant", json_answer(429, error="invalid_grant")),
    outage("the token endpoint never answers", Answer(hangs=True)),
    outage("the token endpoint hangs up", Answer(cut=0)),
    outage("the token endpoint hangs up in mid answer", Answer(body=b'{"access_token":"abc"}', cut=10)),
    outage("the token endpoint answers a page", html()),
    outage("the token endpoint answers a page with 400", html(400)),
    outage("the token endpoint answers nothing", Answer()),
    outage("the token endpoint answers an empty object", json_answer()),
    outage("the token endpoint answers an error with 200", json_answer(error="invalid_grant")),
    outage("the token endpoint refuses without a word", Answer(400, content_type=None)),
    outage("the token endpoint refuses without an error", json_answer(400, detail="invalid_grant")),
    outage("the token endpoint's error is a list", json_answer(400, error=["invalid_grant"])),
    outage("the token endpoint invents an error", json_answer(400, error="invalid_grant_")),
    outage("the token endpoint says the error twice",
           Answer(400, b'{"error":"invalid_grant","error":"invalid_request"}')),
    outage("the token endpoint is busy, by its error", json_answer(400, error="temporarily_unavailable")),
    outage("the token endpoint redirects", Answer(302, headers=(("Location", "http://127.0.0.1:9/collect"),))),
    outage("the token endpoint answers a megabyte", json_answer(access_token="a" * 1_000_000)),
    outage("the token endpoint sends an access token with a line break",
           json_answer(access_token="abc\r\nX-Injected: 1", token_type="Bearer")),
    outage("the token endpoint sends another type of token",
           json_answer(access_token="abcdefghijkl", token_type="mac")),
]  # fmt: skip

OPERATORS_FAULTS = [
    operators_fault("the token endpoint refuses the client", json_answer(401, error="invalid_client")),
    operators_fault("the token endpoint forbids the client to refresh", json_answer(400, error="unauthorized_client")),
    operators_fault("the token endpoint knows no refresh", json_answer(400, error="unsupported_grant_type")),
    operators_fault("the token endpoint speaks of invalid_grant only in prose",
           json_answer(400, error="invalid_request", error_description="invalid_grant")),
]  # fmt: skip

OUTAGES_MEANWHILE = [
    outage_meanwhile("the token endpoint fails for now", json_answer(500)),
    outage_meanwhile("the token endpoint answers a page for now", html()),
    outage_meanwhile("the token endpoint hangs up for now", Answer(cut=0)),
    outage_meanwhile("the token endpoint refuses the client for now", json_answer(401, error="invalid_client")),
]

ENDS = [
    ended("the grant is invalid", json_answer(400, error="invalid_grant")),
    ended("the grant is invalid, with 401", json_answer(401, error="invalid_grant")),
    ended("the grant is invalid, at length",
          json_answer(400, error="invalid_grant", error_description=SCRIPT, error_uri="javascript:alert(1)")),
]  # fmt: skip

REFUSED = [
    id_token("its iss is another", "issuer", Tokens(claims={"iss": "https://attacker.example"})),
    id_token("its iss is missing", "issuer", Tokens(claims={"iss": ...})),
    id_token("its aud is another client", "audience", Tokens(claims={"aud": "somebody-else"})),
    id_token("its aud has a second audience", "audience", Tokens(claims={"aud": [US, "somebody-else"], "azp": US})),
    id_token("its azp is another client", "authorized_party", Tokens(claims={"azp": "somebody-else"})),
    id_token("its sub is missing", "sub", Tokens(claims={"sub": ...})),
    id_token("its sub is a number", "sub", Tokens(claims={"sub": 1})),
    id_token("it has expired", "expired", Tokens(claims={"exp": ago(300)})),
    id_token("its exp is missing", "exp", Tokens(claims={"exp": ...})),
    id_token("its iat is missing", "iat", Tokens(claims={"iat": ...})),
    id_token("its iat is in the future", "iat", Tokens(claims={"iat": ahead(300)})),
    id_token("it tells of another authentication", "auth_time_changed", Tokens(claims={"auth_time": ago(5000)})),
    id_token("its at_hash is of another access token", "at_hash", Tokens(claims={"at_hash": "A" * 22})),
    id_token("it is not signed", "algorithm", Tokens(forge=unsigned("none"))),
    id_token("it has a MAC made with the client secret", "algorithm", Tokens(forge=signed_with_client_secret)),
    id_token("it is signed by a stranger", "signature", Tokens(forge=signed_by_stranger())),
    id_token("it is signed by a stranger under another kid", "key", Tokens(forge=signed_by_stranger(kid="other"))),
    id_token("a bit of its signature is wrong", "signature", Tokens(forge=with_broken_signature)),
    id_token("it is no token", "malformed", Tokens(forge=text("abc"))),
    id_token("it is typed as a logout token", "type", Tokens(header={"typ": "logout+jwt"})),
]

SOMEBODY_ELSE = RefreshScene(
    "the refreshed ID token is about somebody else",
    Tokens(claims={"sub": "user-of-somebody-else"}),
    is_alive=True,
    is_revoked=True,
)

USERINFO_OF_SOMEBODY_ELSE = RefreshScene(
    "UserInfo speaks of somebody else at a refresh",
    Tokens(),
    is_alive=True,
    later_userinfo={"sub": "user-of-somebody-else"},
)

USERINFO_AWAY = [
    RefreshScene("UserInfo fails at a refresh", Tokens(), is_alive=True, later_userinfo=html(500)),
    RefreshScene("UserInfo answers a page at a refresh", Tokens(), is_alive=True, later_userinfo=html()),
]

NOT_ROTATED = RefreshScene(
    "an ID token is not believed and the refresh token was not rotated",
    Tokens(claims={"iss": "https://attacker.example"}, members={"refresh_token": ..., "expires_in": 0}),
    recovers=True,
)

QUIRKS = [
    (RefreshQuirk("nothing is odd", Tokens()), (0, 1)),
    (RefreshQuirk("no new refresh token comes, so the old one is kept",
                  Tokens(members={"refresh_token": ...})), (0, 0)),
    (RefreshQuirk("the new refresh token is null", Tokens(members={"refresh_token": lambda _: None})), (0, 0)),
    (RefreshQuirk("no ID token comes", Tokens(members={"id_token": ...})), (0, 1)),
    (RefreshQuirk("the ID token is null", Tokens(members={"id_token": lambda _: None})), (0, 1)),
    (RefreshQuirk("the ID token has a nonce nobody asked for", Tokens(claims={"nonce": "anything"})), (0, 1)),
    (RefreshQuirk("the ID token lacks auth_time", Tokens(claims={"auth_time": ...})), (0, 1)),
    (RefreshQuirk("the ID token lacks at_hash and sid", Tokens(claims={"at_hash": ..., "sid": ...})), (0, 1)),
    (RefreshQuirk("the ID token is of the login, iat and all", Tokens(claims={"iat": ago(3)})), (0, 1)),
    (RefreshQuirk("nobody says how long the new token lives", Tokens(members={"expires_in": ...})), (0, 1)),
    (RefreshQuirk("the lifetime of the new token is in quotes", Tokens(members={"expires_in": "300"})), (0, 1)),
    (RefreshQuirk("the scope is not repeated", Tokens(members={"scope": ...})), (0, 1)),
    (RefreshQuirk("the type of the new token is in lower case", Tokens(members={"token_type": "bearer"})), (0, 1)),
]  # fmt: skip


@pytest.mark.parametrize("scene", OUTAGES, ids=str)
def test_a_session_is_kept_and_works_again_after(scene: RefreshScene, told: Callable[[Scene[Any]], Any]) -> None:
    refreshed: Refreshed = told(scene)
    assert (refreshed.answer.status, refreshed.code) == (503, "provider_unavailable")
    assert int(refreshed.answer.headers["retry-after"]) > 0
    assert refreshed.session["authenticated"] is True
    assert refreshed.recovered
    assert refreshed.used == (0, 1, 1)
    assert refreshed.bearer == refreshed.newest == 2


@pytest.mark.parametrize("scene", OPERATORS_FAULTS, ids=str)
def test_a_session_is_kept_if(scene: RefreshScene, told: Callable[[Scene[Any]], Any]) -> None:
    refreshed: Refreshed = told(scene)
    assert (refreshed.answer.status, refreshed.code) == (503, "provider_unavailable")
    assert int(refreshed.answer.headers["retry-after"]) > 0
    assert refreshed.session["authenticated"] is True
    assert refreshed.next_call.status == 503
    assert refreshed.used == (0, 1)


@pytest.mark.parametrize("scene", OUTAGES_MEANWHILE, ids=str)
def test_the_access_token_at_hand_is_used_while(scene: RefreshScene, told: Callable[[Scene[Any]], Any]) -> None:
    refreshed: Refreshed = told(scene)
    assert (refreshed.answer.status, refreshed.code) == (503, "provider_unavailable")
    assert refreshed.session["authenticated"] is True
    assert refreshed.next_call.status == 200
    assert refreshed.bearer == 1


@pytest.mark.parametrize("scene", ENDS, ids=str)
def test_a_session_ends_if(scene: RefreshScene, told: Callable[[Scene[Any]], Any]) -> None:
    refreshed: Refreshed = told(scene)
    assert (refreshed.answer.status, refreshed.code) == (401, "session_ended")
    assert refreshed.answer.json()["login_url"].startswith("/bff/login")
    assert b"alert" not in refreshed.answer.body
    assert refreshed.session == {"authenticated": False, "login_url": "/bff/login"}
    assert (refreshed.next_call.status, refreshed.next_call.json()["code"]) == (401, "session_ended")
    assert refreshed.used == (0, 1)
    assert refreshed.bearer is None


@pytest.mark.parametrize(
    "scene, reason", REFUSED, ids=lambda value: str(value) if isinstance(value, RefreshScene) else ""
)
def test_nothing_of_a_refresh_is_used_whose_id_token_is_not_believed_for(
    scene: RefreshScene, reason: str, told: Callable[[Scene[Any]], Any]
) -> None:
    assert_lie_unused(scene, told(scene), reason)


@pytest.mark.parametrize("scene", [SOMEBODY_ELSE], ids=str)
def test_a_session_ends_and_the_new_tokens_are_revoked_if(
    scene: RefreshScene, told: Callable[[Scene[Any]], Any]
) -> None:
    assert_ended(told(scene))


@pytest.mark.parametrize("scene", [USERINFO_OF_SOMEBODY_ELSE], ids=str)
def test_a_session_does_not_become_another_users_though(scene: RefreshScene, told: Callable[[Scene[Any]], Any]) -> None:
    refreshed: Refreshed = told(scene)
    assert (refreshed.answer.status, refreshed.next_call.status) == (200, 401)
    assert refreshed.answer.json() == refreshed.session == {"authenticated": False, "login_url": "/bff/login"}
    assert refreshed.bearer is None


@pytest.mark.parametrize("scene", USERINFO_AWAY, ids=str)
def test_the_user_keeps_their_name_though(scene: RefreshScene, told: Callable[[Scene[Any]], Any]) -> None:
    refreshed: Refreshed = told(scene)
    assert refreshed.session["claims"] == {"sub": f"user-of-{scene.name}", "name": f"Name of {scene.name}"}
    assert refreshed.bearer == 2


@pytest.mark.parametrize("scene", [NOT_ROTATED], ids=str)
def test_a_refresh_token_that_was_not_spent_is_used_again_after(
    scene: RefreshScene, told: Callable[[Scene[Any]], Any]
) -> None:
    refreshed: Refreshed = told(scene)
    assert (refreshed.answer.status, refreshed.code) == (503, "provider_unavailable")
    assert refreshed.recovered
    assert refreshed.used == (0, 1, 1)


@pytest.mark.parametrize("scene, used", QUIRKS, ids=lambda value: str(value) if isinstance(value, RefreshQuirk) else "")
def test_a_refresh_is_accepted_though(
    scene: RefreshQuirk, used: tuple[int, ...], told: Callable[[Scene[Any]], Any]
) -> None:
    refreshed: Refreshed = told(scene)
    assert refreshed.answer.status == 200
    assert refreshed.session["authenticated"] is True
    assert refreshed.bearer == refreshed.newest == 1
    assert refreshed.used == used
    assert refreshed.next_call.status == 200


CLAIMS = RefreshQuirk("the user has another name by now", Tokens(claims={"name": "Grace", "groups": ["staff"]}))


@pytest.mark.parametrize("scene", [CLAIMS], ids=str)
def test_the_application_sees_that(scene: RefreshQuirk, told: Callable[[Scene[Any]], Any]) -> None:
    claims = told(scene).session["claims"]
    assert claims == {"sub": f"user-of-{scene.name}", "name": "Grace"}
