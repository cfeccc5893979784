"""What the browser does in a test module, and what the gateway owes it there."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .browser import Browser, Visit, origin_of, without_query
from .suite import ENDED, RunningTest

if TYPE_CHECKING:
    from .gateway import Gateway
    from .upstream import Upstream


class BehaviourError(Exception):
    """The gateway did not do what the module asks of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """Everything that takes part in one module."""

    test: RunningTest
    gateway: Gateway
    browser: Browser
    upstream: Upstream

    def session(self) -> dict[str, Any]:
        answer = self.browser.fetch("/bff/session")
        if answer.status != 200:
            raise BehaviourError(f"/bff/session was answered {answer.status}")
        session: dict[str, Any] = answer.json()
        return session


Drive = Callable[[Stage], str]
"""Plays a module; returns what the gateway did, raises BehaviourError when that is not what it should do."""


def sign_in_and_out(stage: Stage) -> str:
    """Log in, call the API, log out."""
    _open_page(stage)
    _sign_in(stage)
    subject = _require_session(stage)
    _call_api(stage)
    _sign_out(stage)
    return f"logged {subject} in and out"


def sign_in_twice(stage: Stage) -> str:
    """Log in twice in a row, then call the API and log out."""
    _open_page(stage)
    _sign_in(stage)
    _require_session(stage)
    _sign_in(stage)
    _require_session(stage)
    _call_api(stage)
    _sign_out(stage)
    return "logged in twice and out"


def sign_in_refused(stage: Stage) -> str:
    """Try to log in; the gateway must refuse the provider's answer and start no session."""
    _open_page(stage)
    last = _sign_in(stage)[-1]
    if stage.session()["authenticated"]:
        raise BehaviourError("started a session from an answer that must be refused")
    _require_closed_api(stage)
    if last.status < 400:
        raise BehaviourError(f"refused the login, but ended it with status {last.status}")
    return f"refused the login with {last.status}"


def sign_in_either(stage: Stage) -> str:
    """Try to log in where a client may accept or refuse."""
    _open_page(stage)
    last = _sign_in(stage)[-1]
    if not stage.session()["authenticated"]:
        return f"refused the login with {last.status}"
    _call_api(stage)
    _sign_out(stage)
    return "accepted the login"


def sign_in_by_third_party(stage: Stage) -> str:
    """Follow the link that another site sends the browser with, and log in by it."""
    (page,) = stage.test.pages_to_visit()
    stage.test.say_visited(page)
    stage.browser.open(origin_of(stage.test.exposed()["issuer"]))
    if not any(visit.path == "/bff/callback" for visit in stage.browser.follow(page)):
        raise BehaviourError("the login never came back")
    subject = _require_session(stage)
    return f"logged {subject} in when another site asked for it"


def refresh_and_go_on(stage: Stage) -> str:
    """Log in, have the tokens refreshed and the claims read again, and call the API with the new token."""
    _open_page(stage)
    _sign_in(stage)
    _require_session(stage)
    answer = _refresh(stage)
    if answer.status != 200 or not answer.json()["authenticated"]:
        raise BehaviourError(f"the refresh was answered {answer.status}: {answer.body[:200]!r}")
    _call_api(stage)
    return "refreshed the tokens and used the new ones"


def refresh_refused(stage: Stage) -> str:
    """Log in and refresh; the gateway must use nothing of an answer whose ID token is not the login's."""
    _open_page(stage)
    _sign_in(stage)
    subject = _require_session(stage)
    answer = _refresh(stage)
    session = stage.session()
    if session["authenticated"] and session["claims"]["sub"] != subject:
        raise BehaviourError("the session became another user's")
    if answer.status == 200 and answer.json()["authenticated"]:
        raise BehaviourError("said of a refused refresh that it had worked")
    return f"refused the refreshed tokens with {answer.status}"


def call_accounts(stage: Stage) -> str:
    """Log in, and call the suite's API, which ends the test."""
    _open_page(stage)
    _sign_in(stage)
    session = stage.session()
    if not session["authenticated"]:
        raise BehaviourError("started no session from an answer that must be accepted")
    _call_accounts(stage)
    return "logged in and called the API with a bound token"


def call_accounts_without_login(stage: Stage) -> str:
    """Call the suite's API with the gateway's own token."""
    _open_page(stage)
    _call_accounts(stage)
    return "called the API with a bound token of its own"


def read_metadata(stage: Stage) -> str:
    """Let the gateway read the provider's metadata; the test ends with that request."""
    if _ended_on_readiness(stage):
        return "read the metadata before it was ready"
    _open_page(stage)
    _start_sign_in(stage)
    return "read the metadata when a login started"


def read_keys(stage: Stage) -> str:
    """Let the gateway fetch keys from the `jwks_uri` of the metadata; the test ends with that request."""
    if _ended_on_readiness(stage):
        return "fetched the keys before it was ready"
    _open_page(stage)
    _sign_in(stage)
    _require_session(stage)
    return "fetched the keys when it had an ID token to verify"


def refuse_metadata(stage: Stage) -> str:
    """The metadata names another issuer: not ready, and no browser is sent to the provider."""
    status, _ = stage.gateway.readiness()
    if status == 200:
        raise BehaviourError("ready although the metadata names another issuer")
    _open_page(stage)
    last = _start_sign_in(stage)
    if last.location is not None:
        raise BehaviourError(f"sent the browser on to {origin_of(last.location)}")
    if last.status != 503:
        raise BehaviourError(f"answered the login with {last.status}, not 503")
    return f"not ready ({status}) and answers a login with 503"


def _open_page(stage: Stage) -> None:
    last = stage.browser.open(stage.gateway.public_url + "/")[-1]
    if last.status != 200:
        raise BehaviourError(f"the page itself was answered {last.status}")


def _start_sign_in(stage: Stage) -> Visit:
    """The gateway's own answer to a login, its redirect to the provider not followed."""
    return stage.browser.follow("/bff/login?return_to=/", stay_on=stage.gateway.public_url)[-1]


def _sign_in(stage: Stage) -> list[Visit]:
    """Follow the login link to its end; the provider approves by itself."""
    visits = stage.browser.follow("/bff/login?return_to=/")
    if not any(visit.path == "/bff/callback" for visit in visits):
        way = " -> ".join(f"{visit.status} {without_query(visit.url)}" for visit in visits)
        raise BehaviourError(f"the login never came back: {way}: {visits[-1].body[:200]!r}")
    if stage.browser.cookies.rejected:
        raise BehaviourError(f"set a cookie that browsers drop: {stage.browser.cookies.rejected}")
    return visits


def _require_session(stage: Stage) -> str:
    session = stage.session()
    if not session["authenticated"]:
        raise BehaviourError("started no session from an answer that must be accepted")
    return str(session["claims"]["sub"])


def _call_api(stage: Stage) -> None:
    before = len(stage.upstream.calls)
    answer = stage.browser.fetch("/api/certification")
    if answer.status != 200:
        raise BehaviourError(f"the API call was answered {answer.status}: {answer.body[:200]!r}")
    calls = stage.upstream.calls[before:]
    if len(calls) != 1 or not (calls[0].authorization or "").startswith("Bearer "):
        raise BehaviourError("the API did not get exactly one call with an access token")
    if calls[0].cookie is not None:
        raise BehaviourError("the API got the browser's cookies")


def _refresh(stage: Stage) -> Visit:
    return stage.browser.fetch("/bff/session/refresh", method="POST")


def _call_accounts(stage: Stage) -> None:
    answer = stage.browser.fetch("/api")
    if answer.status != 200:
        raise BehaviourError(f"the API call was answered {answer.status}: {answer.body[:200]!r}")


def _require_closed_api(stage: Stage) -> None:
    answer = stage.browser.fetch("/api/certification")
    if answer.status != 401 or stage.upstream.calls:
        raise BehaviourError(f"an API call without a session was answered {answer.status}")


def _sign_out(stage: Stage) -> None:
    """Log out here, then at the provider when it has an end-session endpoint, and land on the page again."""
    answer = stage.browser.fetch("/bff/logout", method="POST", headers={"accept": "application/json"})
    if answer.status != 200:
        raise BehaviourError(f"the logout was answered {answer.status}: {answer.body[:200]!r}")
    last = stage.browser.follow(answer.json()["logout_url"])[-1]
    if origin_of(last.url) != stage.gateway.public_url or last.path != "/" or last.status != 200:
        raise BehaviourError(f"after the logout the browser stands at {without_query(last.url)}, status {last.status}")
    if stage.session()["authenticated"]:
        raise BehaviourError("the session outlived its logout")
    _require_closed(stage)


def _require_closed(stage: Stage) -> None:
    answer = stage.browser.fetch("/api/certification")
    if answer.status != 401:
        raise BehaviourError(f"an API call after the logout was answered {answer.status}")


def _ended_on_readiness(stage: Stage) -> bool:
    """Whether becoming ready was all the test waited for."""
    stage.gateway.wait_until_ready()
    time.sleep(0.5)
    return stage.test.status() in ENDED
