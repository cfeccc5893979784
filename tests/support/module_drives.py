"""What browsers do in modules of the certification plans, where no lie or quirk says it already."""

from __future__ import annotations

from tests.certification.plan import Plan
from tests.support.deployment import RETURN_TO, Deployment, login_path
from tests.support.discovery_lies import METADATA
from tests.support.fapi_realm import FapiRealm
from tests.support.lies import HONEST, Bend
from tests.support.login_lies import eventually, slug
from tests.support.lying_provider import Realm

NOBODY = {"authenticated": False, "login_url": "/bff/login"}


def call_accounts(
    plan: Plan, deployment: Deployment, rule: str, *, own_scope: str = "", bend: Bend = HONEST
) -> tuple[str, ...]:
    """Log in and call the API of a FAPI realm; without a login, for a token with `own_scope`, where the plan has none.

    Returns the endpoints that were asked on behalf of the login.
    """
    with deployment.browser() as browser:
        if plan.token == "client":
            answer = browser.fetch(f"/own/{own_scope}")
            assert (answer.status, answer.json()) == (200, {"accounts": ["DE1", "DE2"]})
            return ()
        name = slug(rule)
        deployment.realm.bends[name] = bend
        callback = deployment.log_in(name, browser).callback
        assert (callback.status, callback.location) == (303, f"{browser.origin}{RETURN_TO}")
        assert browser.session()["authenticated"] is True
        answer = browser.fetch("/api")
        assert (answer.status, answer.json()) == (200, {"accounts": ["DE1", "DE2"]})
        return tuple(deployment.login(name).calls)


def fapi_realm(deployment: Deployment) -> FapiRealm:
    """The realm of a relying party of a FAPI plan."""
    assert isinstance(deployment.realm, FapiRealm)
    return deployment.realm


def log_out_and_return(deployment: Deployment, rule: str, bend: Bend, *, query: str = "") -> None:
    """Log in, log out here and then at the provider; the browser must land on the start page with this query."""
    name = slug(rule)
    deployment.realm.bends[name] = bend
    with deployment.browser() as browser:
        assert deployment.log_in(name, browser).callback.status == 303
        answer = browser.fetch("/bff/logout", method="POST", headers={"accept": "application/json"})
        assert answer.status == 200
        assert "logout" not in deployment.login(name).calls
        assert browser.session() == NOBODY, "the session here ends first"
        landed = browser.follow(answer.json()["logout_url"])[-1]
        assert deployment.login(name).calls[-1] == "logout"
        assert (landed.status, landed.url) == (200, f"{browser.origin}/{query}")
        assert browser.session() == NOBODY
        assert deployment.call_api(browser, name).status == 401
    assert deployment.api_calls(name) == []


def assert_believes_nothing_of(realm: Realm, deployment: Deployment, reason: str) -> None:
    """Not ready, no login begins, and the provider is asked for nothing but its metadata."""
    with deployment.browser() as browser:
        assert eventually(lambda: browser.fetch("/readyz").json().get("reasons") == {"provider": reason})
        assert browser.fetch("/readyz").status == 503
        answer = browser.follow(login_path("believer"))[-1]
    assert (answer.path, answer.status, answer.location) == ("/bff/login", 503, None)
    assert set(realm.calls) == {METADATA}
