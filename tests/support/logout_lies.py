"""A logout token posted to a gateway with a living session, and what came of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2

from tests.support.deployment import Deployment
from tests.support.lies import TRUE_TOKENS, Tokens
from tests.support.login_lies import slug
from tests.support.stage import Stage

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def as_form(token: str) -> bytes:
    """The body a provider posts."""
    return urlencode({"logout_token": token}).encode()


@dataclass(frozen=True, kw_only=True)
class LoggedOut:
    """The answer to the posted token, and the session after it; `reason` is the log's for a refusal."""

    answer: httpx2.Response
    reason: str
    session: dict[str, Any]
    api_status: int
    api_code: str | None


@dataclass(frozen=True)
class LogoutScene:
    """One logout token for the user of a fresh session, bent and posted; `body` makes the request's body of it.

    With `about` it is truly made for the session of that other user. The last of `times` answers counts.
    """

    rule: str
    reason: str = "None"
    tokens: Tokens = TRUE_TOKENS
    body: Callable[[str], bytes] = as_form
    headers: Mapping[str, str] = field(default_factory=lambda: FORM)
    about: str | None = None
    times: int = 1

    def __str__(self) -> str:
        return self.rule

    @property
    def name(self) -> str:
        """The user's name."""
        return f"logout-{slug(self.rule)}"

    def tell(self, stage: Stage) -> LoggedOut:
        """Log in, post the token, look at the session."""
        return self.tell_to(stage.main)

    def tell_to(self, deployment: Deployment) -> LoggedOut:
        """Log in there, post the token, look at the session."""
        with deployment.browser() as browser:
            assert deployment.log_in(self.name, browser).callback.status == 303
            body = self.body(deployment.realm.logout_token(self.about or self.name, self.tokens))
            for _ in range(self.times):
                answer = post(deployment, body, self.headers)
            call = deployment.call_api(browser, self.name)
            is_problem = call.headers["content-type"] == "application/problem+json"
            return LoggedOut(
                answer=answer,
                reason=deployment.reason_of(answer.headers["x-request-id"]),
                session=browser.session(),
                api_status=call.status,
                api_code=call.json()["code"] if is_problem else None,
            )


def assert_refused_with_400(scene: LogoutScene, logged_out: LoggedOut) -> None:
    """The provider is told that nothing came of its token, and the session lives on."""
    assert (logged_out.answer.status_code, logged_out.reason) == (400, scene.reason)
    assert logged_out.answer.headers["cache-control"] == "no-store"
    assert logged_out.answer.json() == {"error": "invalid_request"}
    assert logged_out.session["authenticated"] is True
    assert (logged_out.api_status, logged_out.api_code) == (200, None)


def assert_ended(logged_out: LoggedOut) -> None:
    """The provider is told that it is done, and the session is over."""
    assert (logged_out.answer.status_code, logged_out.answer.content) == (200, b"")
    assert logged_out.answer.headers["cache-control"] == "no-store"
    assert logged_out.session == {"authenticated": False, "login_url": "/bff/login"}
    assert (logged_out.api_status, logged_out.api_code) == (401, "session_ended")


def post(deployment: Deployment, body: bytes, headers: Mapping[str, str] = FORM) -> httpx2.Response:
    """Post to the back-channel logout endpoint as a provider does: from elsewhere, without a cookie."""
    url = f"{deployment.gateway.url}/bff/backchannel-logout"
    with httpx2.Client(trust_env=False, timeout=30.0) as client:
        answer = client.post(url, content=body, headers={**headers, "Host": deployment.public_host})
    deployment.ledger.answered("POST", url, answer.headers.multi_items(), answer.content)
    return answer
