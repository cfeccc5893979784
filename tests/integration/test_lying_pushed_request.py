"""The provider's answers where no login has begun or none is left: pushed requests, revocation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.certification.browser import Visit
from tests.support.deployment import login_path
from tests.support.lies import Answer, Bend, html, json_answer
from tests.support.login_lies import eventually, slug
from tests.support.stage import Scene, Stage


@dataclass(frozen=True)
class PushedLie:
    """A pushed authorization request is answered with a lie."""

    rule: str
    reason: str
    pushed: Answer
    status: int = 503

    def __str__(self) -> str:
        return self.rule

    def tell(self, stage: Stage) -> tuple[Visit, str]:
        """Follow the login link; the gateway's answer and the reason in its log."""
        deployment, name = stage.strict, f"pushed-{slug(self.rule)}"
        deployment.realm.bends[name] = Bend(pushed=self.pushed)
        with deployment.browser() as browser:
            answer = browser.follow(login_path(name))[-1]
            assert deployment.realm.logins(name) == []
            return answer, deployment.refusal(answer)


def reference(value: object, **members: Any) -> Answer:
    return json_answer(201, **{"request_uri": value, "expires_in": 60, **members})


LIES = [
    PushedLie("it fails", "par.unavailable", html(500)),
    PushedLie("it answers a page", "par.malformed", html()),
    PushedLie("it answers nothing", "par.malformed", Answer(201)),
    PushedLie("it answers an empty object", "par.request_uri", json_answer(201)),
    PushedLie("it refuses the client", "par.invalid_client", json_answer(401, error="invalid_client")),
    PushedLie("it refuses the request", "par.invalid_request", json_answer(400, error="invalid_request")),
    PushedLie("it invents an error", "par.unknown_error", json_answer(400, error="no_idea"), 400),
    PushedLie("the reference is a number", "par.request_uri", reference(5)),
    PushedLie("the reference has a line break", "par.request_uri", reference("urn:x:a\r\nSet-Cookie: bff=1")),
    PushedLie("the reference has a space", "par.request_uri", reference("urn:x:a b")),
    PushedLie("the reference is no URI", "par.request_uri", reference("../../authorize")),
    PushedLie("the reference is endless", "par.request_uri", reference("urn:x:" + "a" * 10_000)),
    PushedLie("the reference expired before it came", "par.expires_in", reference("urn:x:a", expires_in=0)),
    PushedLie("the lifetime is true", "par.expires_in", reference("urn:x:a", expires_in=True)),
    PushedLie("it hangs up", "provider.protocol", Answer(cut=0)),
    PushedLie("it never answers", "provider.timeout", Answer(hangs=True)),
]


@pytest.mark.parametrize("scene", LIES, ids=str)
def test_no_login_begins_when_a_request_is_pushed_and(scene: PushedLie, told: Callable[[Scene[Any]], Any]) -> None:
    answer, reason = told(scene)
    assert (answer.path, answer.status, reason) == ("/bff/login", scene.status, scene.reason)
    assert "set-cookie" not in answer.headers
    assert "location" not in answer.headers


@dataclass(frozen=True)
class RevocationLie:
    """Tokens are given back at logout to an endpoint that does not take them."""

    rule: str
    revocation: Answer

    def __str__(self) -> str:
        return self.rule

    def tell(self, stage: Stage) -> tuple[Visit, bool, int, bool]:
        """Log out; the answer, whether anybody is still logged in, an API call's status, whether it was tried."""
        deployment, name = stage.main, f"revocation-{slug(self.rule)}"
        deployment.realm.bends[name] = Bend(revocation=self.revocation)
        with deployment.browser() as browser:
            assert deployment.log_in(name, browser).callback.status == 303
            answer = browser.fetch("/bff/logout", method="POST", headers={"accept": "application/json"})
            login = deployment.login(name)
            is_tried = eventually(lambda: {*login.refresh_tokens, *login.access_tokens} <= {*login.revocation_requests})
            call = deployment.call_api(browser, name)
            return answer, browser.session()["authenticated"], call.status, is_tried


REVOCATIONS = [
    RevocationLie("takes the tokens", Answer()),
    RevocationLie("fails", html(500)),
    RevocationLie("refuses the client", json_answer(401, error="invalid_client")),
    RevocationLie("knows no such tokens", json_answer(400, error="unsupported_token_type")),
    RevocationLie("hangs up", Answer(cut=0)),
    RevocationLie("answers a page", html()),
]


@pytest.mark.parametrize("scene", REVOCATIONS, ids=str)
def test_a_logout_is_a_logout_and_tokens_are_given_back_even_if_revocation(
    scene: RevocationLie, told: Callable[[Scene[Any]], Any]
) -> None:
    answer, is_authenticated, api_status, is_tried = told(scene)
    assert answer.status == 200
    assert not is_authenticated
    assert api_status == 401
    assert is_tried
