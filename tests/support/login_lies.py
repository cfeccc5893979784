"""A login at a provider that lies about one thing, and what came of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.certification.browser import Visit
from tests.support.deployment import RETURN_TO, Attempt, Deployment
from tests.support.lies import HONEST, Bend
from tests.support.stage import Stage

PATIENCE = 10.0
"""Seconds for what happens behind the browser's back."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A refused login; `leaves_tokens` if tokens that nobody will use could have been revoked and were not."""

    answer: Visit
    reason: str
    session: dict[str, Any]
    has_session_cookie: bool
    calls: tuple[str, ...]
    leaves_tokens: bool


@dataclass(frozen=True)
class LoginLie:
    """A lie that no login may survive; `rule` completes the sentence "a login is refused if ...".

    `calls` are the endpoints that may be asked until the lie is out, `deployment` the attribute of the stage.
    """

    rule: str
    bend: Bend
    reason: str
    status: int = 400
    calls: tuple[str, ...] = ("token",)
    deployment: str = "main"
    parameters: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.rule

    @property
    def is_after_tokens(self) -> bool:
        """Whether the gateway has understood which tokens it was given."""
        return self.reason.startswith(("id_token.", "userinfo."))

    def tell(self, stage: Stage) -> Refused:
        """Log in and be lied to."""
        deployment: Deployment = getattr(stage, self.deployment)
        return self.tell_to(deployment)

    def tell_to(self, deployment: Deployment) -> Refused:
        """Log in there and be lied to."""
        name = slug(self.rule)
        deployment.realm.bends[name] = self.bend
        with deployment.browser() as browser:
            answer = deployment.log_in(name, browser, **self.parameters).callback
            login = deployment.login(name)
            return Refused(
                answer=answer,
                reason=deployment.refusal(answer),
                session=browser.session(),
                has_session_cookie=browser.holds_session_cookie(),
                calls=tuple(login.calls),
                leaves_tokens=self.is_after_tokens
                and deployment.realm.revokes
                and not eventually(login.are_tokens_revoked),
            )


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A login that led to a session, and one call to the API with it."""

    callback: Visit
    session: dict[str, Any]
    api_status: int
    bearer: list[str | None]
    access_token: str
    calls: tuple[str, ...]


@dataclass(frozen=True)
class LoginQuirk:
    """An oddity that harms nobody; `rule` completes the sentence "a login is accepted though ...".

    `claims` are what the application must be shown besides `sub`.
    """

    rule: str
    bend: Bend = HONEST
    claims: dict[str, Any] | None = None
    calls: tuple[str, ...] = ("token", "userinfo")
    deployment: str = "main"
    parameters: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.rule

    def tell(self, stage: Stage) -> Accepted:
        """Log in and call the API."""
        deployment: Deployment = getattr(stage, self.deployment)
        return self.tell_to(deployment)

    def tell_to(self, deployment: Deployment) -> Accepted:
        """Log in there and call the API."""
        name = slug(self.rule)
        deployment.realm.bends[name] = self.bend
        with deployment.browser() as browser:
            attempt = deployment.log_in(name, browser, **self.parameters)
            return accepted(deployment, attempt, name)

    def expected_session(self) -> dict[str, Any]:
        """The claims the application must be shown."""
        name = slug(self.rule)
        further = {"name": f"Name of {name}"} if self.claims is None else self.claims
        return {"sub": f"user-of-{name}", **further}


def accepted(deployment: Deployment, attempt: Attempt, name: str) -> Accepted:
    """Look at what a login led to."""
    browser, login = attempt.browser, deployment.login(name)
    session = browser.session()
    answer = deployment.call_api(browser, name)
    return Accepted(
        callback=attempt.callback,
        session=session,
        api_status=answer.status,
        bearer=[call.authorization for call in deployment.api_calls(name)],
        access_token=login.access_tokens[-1] if login.access_tokens else "",
        calls=tuple(login.calls),
    )


def assert_refused(lie: LoginLie, told: Refused) -> None:
    """A page of ours, no session anywhere, and nobody asked once the lie was out."""
    assert (told.answer.status, told.reason) == (lie.status, lie.reason)
    assert told.answer.headers["content-type"] == "text/html; charset=utf-8"
    assert told.answer.headers["cache-control"] == "no-store"
    assert told.session == {"authenticated": False, "login_url": "/bff/login"}
    assert not told.has_session_cookie
    assert told.calls == lie.calls
    if lie.status == 503:
        assert int(told.answer.headers["retry-after"]) > 0
    assert not told.leaves_tokens


def assert_accepted(quirk: LoginQuirk, told: Accepted) -> None:
    """Back where the login began, the user known, the API called with the user's token."""
    assert (told.callback.status, told.callback.headers.get("location")) == (303, RETURN_TO)
    assert told.session.keys() == {"authenticated", "claims", "idle_expires_in", "expires_in", "logout_url"}
    assert told.session["authenticated"] is True
    assert told.session["claims"] == quirk.expected_session()
    assert told.api_status == 200
    assert told.bearer == [f"Bearer {told.access_token}"]
    assert told.calls == quirk.calls


def slug(rule: str) -> str:
    """A user name made of a sentence."""
    return re.sub(r"[^a-z0-9]+", "-", rule.lower()).strip("-")


def eventually(is_so: Callable[[], bool], *, within: float = PATIENCE, every: float = 0.02) -> bool:
    """Whether it comes true `within` so many seconds."""
    deadline = time.monotonic() + within
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
