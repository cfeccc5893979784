"""A refresh at a provider that lies about one thing, and what came of it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any

from tests.certification.browser import Visit
from tests.support.deployment import Deployment, WatchedBrowser
from tests.support.lies import Answer, Bend, Changes, Tokens
from tests.support.login_lies import eventually, slug
from tests.support.realm_log import Login
from tests.support.stage import Stage

EXPIRED = {"expires_in": 0}
RECOVERY = 45.0
"""Seconds within which a session that was kept works again once the provider does."""


@dataclass(frozen=True, kw_only=True)
class Refreshed:
    """What a refresh led to: its answer, the session right after it, the calls that came later.

    `reason` is the log's. `used` are the refresh tokens sent, `issued` those received, as numbers in order of issue;
    `bearer` is the number of the access token that the API got last, None if no call reached it.
    """

    answer: Visit
    reason: str
    session: dict[str, Any]
    next_call: Visit
    recovered: bool
    used: tuple[int, ...]
    bearer: int | None
    newest: int
    revoked: bool

    @property
    def code(self) -> Any:
        """The problem's code, None for an answer that is no problem."""
        if self.answer.headers.get("content-type") != "application/problem+json":
            return None
        return self.answer.json()["code"]


@dataclass(frozen=True)
class RefreshScene:
    """One refresh; the one before it and all after it are honest.

    With `is_alive` the access token at hand is good for minutes, and the refresh is asked for; without, it has expired,
    and a call to the API needs the refresh. `is_outage`: nothing usable is answered at all. `recovers`: to be called
    until it works again.
    """

    rule: str
    tokens: Tokens
    is_alive: bool = False
    is_outage: bool = False
    recovers: bool = False
    is_revoked: bool = False
    later_userinfo: Changes | Answer = field(default_factory=dict)

    def __str__(self) -> str:
        return self.rule

    @property
    def name(self) -> str:
        """The user's name."""
        return f"refresh-{slug(self.rule)}"

    def tell(self, stage: Stage) -> Refreshed:
        """Log in, refresh honestly once, then be lied to."""
        # Failures in a row make a gateway leave its provider alone; a success in between keeps them apart.
        return self.tell_to(stage.main, stage.outages if self.is_outage else None)

    def tell_to(
        self, deployment: Deployment, alone: contextlib.AbstractContextManager[object] | None = None
    ) -> Refreshed:
        """Log in there, refresh honestly once, then be lied to; both refreshes within `alone`."""
        name = self.name
        lifetime = {} if self.is_alive else EXPIRED
        honest = Tokens(members=lifetime)
        deployment.realm.bends[name] = Bend(
            tokens=honest, refreshes=(honest, self.tokens), later_userinfo=self.later_userinfo
        )
        with deployment.browser() as browser:
            attempt = deployment.log_in(name, browser)
            assert attempt.callback.status == 303
            with alone or contextlib.nullcontext():
                refresh(browser, expected=200)
                answer = refresh(browser) if self.is_alive else deployment.call_api(browser, name)
            return self._aftermath(deployment, browser, name, answer)

    def _aftermath(self, deployment: Deployment, browser: WatchedBrowser, name: str, answer: Visit) -> Refreshed:
        login = deployment.login(name)
        session = browser.session()
        next_call = deployment.call_api(browser, name)
        recovered = self.recovers and eventually(
            lambda: deployment.call_api(browser, name).status == 200, within=RECOVERY, every=0.25
        )
        if self.is_revoked:
            eventually(lambda: len(login.revoked) >= 2)
        return Refreshed(
            answer=answer,
            reason=deployment.refusal(answer),
            session=session,
            next_call=next_call,
            recovered=recovered,
            used=tuple(login.refresh_tokens.index(token) for token in login.refresh_requests),
            bearer=bearer(deployment, login, name),
            newest=len(login.access_tokens) - 1,
            revoked={login.access_tokens[-1], login.refresh_tokens[-1]} <= {*login.revoked},
        )


@dataclass(frozen=True)
class RefreshQuirk:
    """An odd but honest answer to the refresh that a call to the API needs; a second refresh is asked for after it."""

    rule: str
    tokens: Tokens

    def __str__(self) -> str:
        return self.rule

    @property
    def name(self) -> str:
        """The user's name."""
        return f"refresh-{slug(self.rule)}"

    def tell(self, stage: Stage) -> Refreshed:
        """Log in, let the access token expire, call the API, refresh again."""
        return self.tell_to(stage.main)

    def tell_to(self, deployment: Deployment) -> Refreshed:
        """Log in there, let the access token expire, call the API, refresh again."""
        name = self.name
        deployment.realm.bends[name] = Bend(tokens=Tokens(members=EXPIRED), refreshes=(self.tokens,))
        with deployment.browser() as browser:
            assert deployment.log_in(name, browser).callback.status == 303
            login = deployment.login(name)
            answer = deployment.call_api(browser, name)
            used_at_api, newest = bearer(deployment, login, name), len(login.access_tokens) - 1
            session = browser.session()
            refresh(browser, expected=200)
            return Refreshed(
                answer=answer,
                reason="",
                session=session,
                next_call=deployment.call_api(browser, name),
                recovered=False,
                used=tuple(login.refresh_tokens.index(token) for token in login.refresh_requests),
                bearer=used_at_api,
                newest=newest,
                revoked=False,
            )


def assert_lie_unused(scene: RefreshScene, refreshed: Refreshed, reason: str) -> None:
    """The session goes on with the tokens from before the lie, and no refresh token is used twice."""
    assert (refreshed.answer.status, refreshed.code, refreshed.reason) == (503, "provider_unavailable", reason)
    assert refreshed.session["authenticated"] is True
    assert refreshed.session["claims"]["sub"] == f"user-of-{scene.name}"
    assert refreshed.next_call.status == 200
    assert refreshed.bearer == 1, "the access token from before the lie"
    assert refreshed.newest == 2
    assert refreshed.used == (0, 1), "no refresh token is used twice"


def assert_ended(refreshed: Refreshed) -> None:
    """The session is over, the API was not called with the new token, and all new tokens were given back."""
    assert refreshed.session == {"authenticated": False, "login_url": "/bff/login"}
    assert refreshed.next_call.status == 401
    assert refreshed.bearer is None
    assert refreshed.revoked


def refresh(browser: WatchedBrowser, *, expected: int | None = None) -> Visit:
    """Ask for a refresh as the application does."""
    visit = browser.fetch("/bff/session/refresh", method="POST")
    assert expected in (None, visit.status), visit.body
    return visit


def bearer(deployment: Deployment, login: Login, name: str) -> int | None:
    """The number of the access token in the latest call that reached the API."""
    calls = deployment.api_calls(name)
    if not calls or calls[-1].authorization is None:
        return None
    return login.access_tokens.index(calls[-1].authorization.removeprefix("Bearer "))
