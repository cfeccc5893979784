"""The gateway against Keycloak with the realm of `deploy/keycloak`: the provider guide, run for real."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from bff.demo.check import Visitor
from bff.oauth.signing_key import parse_signing_keys
from tests.support.keycloak import DEPLOYMENT, KeycloakServer, start_keycloak
from tests.support.processes import GatewayServer, reserve_port, start_gateway, start_timesheets, start_valkey
from tests.support.provider_guides import read_environment
from tests.support.signed_tokens import key_for

# The first test waits for a download and for a Java server to start.
pytestmark = pytest.mark.timeout(900)

SHORT = 3
"""Seconds that a short-lived access token lives."""

GUIDE = read_environment(DEPLOYMENT / "gateway.env")
# Where things are differs from run to run; all else is as the guide says.
PLACES = {"BFF_PUBLIC_URL", "BFF_ISSUER", "BFF_CLIENT_SECRET", "BFF_UPSTREAM_URL"}

# As the guide says: the audience has to be that of a scope, and `openid` stays.
REPORTS = {"scope": "openid read:reports", "exchange": True, "audience": "reports"}

Browser = Callable[[], Visitor]


@dataclass
class Stack:
    keycloak: KeycloakServer
    gateway: GatewayServer


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    port = reserve_port()
    with ExitStack() as started:
        keycloak = started.enter_context(start_keycloak(f"http://127.0.0.1:{port}"))
        valkey = started.enter_context(start_valkey())
        timesheets = started.enter_context(start_timesheets(keycloak))
        reports = started.enter_context(start_timesheets(keycloak, audience="reports"))
        guide = {name: value for name, value in GUIDE.items() if name not in PLACES}
        keycloak.allow_grants_without_users()
        keycloak.offer_reports()
        routes = [
            {"prefix": "/less", "upstream": timesheets.url, "scope": "openid read:timesheets"},
            {"prefix": "/exchanged", "upstream": timesheets.url, "scope": "read:timesheets", "exchange": True},
            {"prefix": "/machine", "upstream": timesheets.url, "token": "client"},
            {"prefix": "/reports", "upstream": reports.url, **REPORTS},
        ]
        further = {"BFF_RESOURCE": None, "BFF_ROUTES": json.dumps(routes)}
        gateway = started.enter_context(
            start_gateway(keycloak, timesheets.url, valkey.url, port=port, **{**further, **guide})
        )
        yield Stack(keycloak, gateway)


@pytest.fixture
def keycloak(stack: Stack) -> KeycloakServer:
    stack.keycloak.set_access_token_lifetime(60)
    stack.keycloak.clear_events()
    return stack.keycloak


@pytest.fixture
def browser(stack: Stack, keycloak: KeycloakServer) -> Iterator[Browser]:
    """Opens a new browser at the gateway."""
    with ExitStack() as opened:

        def open_browser() -> Visitor:
            visitor = Visitor(stack.gateway.public_url)
            # As browsers do, it takes this machine for a secure place: Keycloak's cookies are `Secure`.
            visitor._client.cookies.jar.set_policy(DefaultCookiePolicy(secure_protocols=("http", "https")))
            opened.callback(visitor.close)
            return visitor

        yield open_browser


def log_in(visitor: Visitor, username: str) -> None:
    form = visitor.navigate("/bff/login?return_to=/")
    assert 'id="kc-form-login"' in form.text
    landed = visitor.submit(form, username=username, password=f"{username}-demo")
    assert (landed.status_code, landed.url.path) == (200, "/"), landed.text
    assert session(visitor)["authenticated"] is True


def session(visitor: Visitor) -> dict[str, Any]:
    answer = visitor.call("GET", "/bff/session")
    assert answer.status_code == 200
    shown: dict[str, Any] = answer.json()
    return shown


def refusal(visitor: Visitor) -> tuple[int, str | None]:
    """Return the status of a call to the API, and the gateway's code if the gateway refused it."""
    answer = visitor.call("GET", "/api/whoami")
    return answer.status_code, answer.json().get("code")


def eventually(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not fact():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def test_a_login_through_keycloaks_form_gives_a_session_and_tokens_that_the_api_accepts(
    stack: Stack, browser: Browser
) -> None:
    visitor = browser()
    log_in(visitor, "alice")
    claims = session(visitor)["claims"]
    assert claims == {
        "sub": stack.keycloak.user("alice")["id"],
        "name": "Alice Archer",
        "given_name": "Alice",
        "family_name": "Archer",
        "preferred_username": "alice",
        "email": "alice@example.com",
        "email_verified": True,
    }
    caller = visitor.call("GET", "/api/whoami").json()
    assert (caller["sub"], caller["azp"], caller["roles"]) == (claims["sub"], "bff", ["manager"])
    assert len(visitor.call("GET", "/api/timesheets").json()["timesheets"]) == 5


def test_whoever_mistypes_the_password_stays_at_keycloak_until_it_is_right(browser: Browser) -> None:
    visitor = browser()
    form = visitor.navigate("/bff/login")
    again = visitor.submit(form, username="bob", password="wrong")
    assert "Invalid username or password" in again.text
    assert session(visitor)["authenticated"] is False
    visitor.submit(again, username="bob", password="bob-demo")
    assert session(visitor)["claims"]["name"] == "Bob Baker"


def test_scopes_are_granted_by_role(browser: Browser) -> None:
    employee, guest = browser(), browser()
    log_in(employee, "bob")
    log_in(guest, "dave")
    wish = {"day": "2026-01-05", "project": "Demonstration", "hours": 1.5}
    added = employee.call("POST", "/api/timesheets", wish)
    assert added.status_code == 201, added.text
    deletion = employee.call("DELETE", f"/api/timesheets/{added.json()['id']}")
    assert (deletion.status_code, deletion.json()["code"]) == (403, "insufficient_scope")
    reading = guest.call("GET", "/api/timesheets")
    assert (reading.status_code, reading.json()["code"]) == (403, "insufficient_scope")


def test_keycloak_refuses_a_login_of_this_client_without_pkce(stack: Stack) -> None:
    parameters = {
        "client_id": stack.keycloak.client_id,
        "redirect_uri": f"{stack.gateway.public_url}/bff/callback",
        "response_type": "code",
        "scope": "openid",
        "state": "somebody-else's",
    }
    with httpx2.Client(trust_env=False) as attacker:
        url = f"{stack.keycloak.issuer}/protocol/openid-connect/auth"
        answer = attacker.get(url, params=parameters)
    error = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (error["error"], error["error_description"]) == (
        ["invalid_request"],
        ["Missing parameter: code_challenge_method"],
    )


def test_each_refresh_uses_the_refresh_token_of_the_one_before(browser: Browser, keycloak: KeycloakServer) -> None:
    visitor = browser()
    log_in(visitor, "alice")
    issued = [visitor.call("GET", "/api/whoami").json()["jti"]]
    for _ in range(3):
        assert visitor.call("POST", "/bff/session/refresh").json()["authenticated"] is True
        issued.append(visitor.call("GET", "/api/whoami").json()["jti"])
    assert len(set(issued)) == 4
    refreshes = [event["details"] for event in keycloak.events() if event["type"] == "REFRESH_TOKEN"]
    used = [details["refresh_token_id"] for details in refreshes]
    assert len(set(used)) == 3
    assert used[1:] == [details["updated_refresh_token_id"] for details in refreshes][:-1]


def test_calls_at_the_same_time_refresh_once_when_the_access_token_has_expired(
    stack: Stack, browser: Browser, keycloak: KeycloakServer
) -> None:
    keycloak.set_access_token_lifetime(SHORT)
    visitor = browser()
    log_in(visitor, "alice")
    keycloak.set_access_token_lifetime(60)
    time.sleep(SHORT)
    keycloak.clear_events()
    cookies = dict(visitor._client.cookies)

    def call(number: int) -> int:
        with httpx2.Client(trust_env=False, cookies=cookies, timeout=30.0) as tab:
            url = f"{stack.gateway.url}/api/timesheets?tab={number}"
            return tab.get(url, headers={"Sec-Fetch-Site": "same-origin"}).status_code

    with ThreadPoolExecutor(20) as tabs:
        assert set(tabs.map(call, range(20))) == {200}
    assert keycloak.kinds() == ["REFRESH_TOKEN"]


def test_a_logout_here_ends_the_session_at_keycloak_without_asking_and_comes_back(
    stack: Stack, browser: Browser, keycloak: KeycloakServer
) -> None:
    visitor = browser()
    log_in(visitor, "alice")
    url = visitor.call("POST", "/bff/logout").json()["logout_url"]
    assert refusal(visitor)[0] == 401
    eventually(lambda: "REVOKE_GRANT" in keycloak.kinds())
    assert url.startswith(f"{keycloak.issuer}/protocol/openid-connect/logout?id_token_hint=")
    landed = visitor.navigate(url)
    assert str(landed.url).partition("?")[0] == f"{stack.gateway.public_url}/"
    assert session(visitor)["authenticated"] is False
    # Keycloak does not know them any more either.
    assert 'id="kc-form-login"' in visitor.navigate("/bff/login").text


def test_without_the_id_token_keycloak_asks_before_it_ends_the_session_and_comes_back_too(
    stack: Stack, browser: Browser
) -> None:
    leaving, visitor = browser(), browser()
    log_in(leaving, "bob")
    # Of whoever leaves, Keycloak has nothing to ask once the gateway has given the tokens back, which is soon.
    log_in(visitor, "alice")
    url = httpx2.URL(leaving.call("POST", "/bff/logout").json()["logout_url"])
    # What BFF_ID_TOKEN_HINT=off gives.
    question = visitor.navigate(str(url.copy_remove_param("id_token_hint")))
    assert "Do you want to log out?" in question.text
    landed = visitor.submit(question)
    assert str(landed.url).partition("?")[0] == f"{stack.gateway.public_url}/"
    assert 'id="kc-form-login"' in visitor.navigate("/bff/login").text


def test_a_logout_at_keycloak_ends_the_session_in_that_browser_alone(
    browser: Browser, keycloak: KeycloakServer
) -> None:
    visitor, elsewhere = browser(), browser()
    log_in(visitor, "alice")
    log_in(elsewhere, "alice")
    question = visitor.navigate(f"{keycloak.issuer}/protocol/openid-connect/logout")
    assert "Do you want to log out?" in question.text
    assert "You are logged out" in visitor.submit(question).text
    eventually(lambda: refusal(visitor) == (401, "session_ended"))
    assert session(visitor)["authenticated"] is False
    assert refusal(elsewhere) == (200, None)


def test_an_administrator_ends_all_sessions_of_a_user_and_nobody_elses(
    browser: Browser, keycloak: KeycloakServer
) -> None:
    first, second, other = browser(), browser(), browser()
    log_in(first, "carol")
    log_in(second, "carol")
    log_in(other, "bob")
    keycloak.end_sessions("carol")
    # Of several sessions Keycloak names one in a logout token; the others are refused when they are next refreshed.
    eventually(lambda: (401, "session_ended") in (refusal(first), refusal(second)))
    for visitor in (first, second):
        assert visitor.call("POST", "/bff/session/refresh").json()["authenticated"] is False
        assert refusal(visitor) == (401, "session_ended")
    assert refusal(other) == (200, None)


def test_an_administrator_ends_one_session(browser: Browser, keycloak: KeycloakServer) -> None:
    first, second = browser(), browser()
    log_in(first, "carol")
    log_in(second, "carol")
    keycloak.end_session(first.call("GET", "/api/whoami").json()["sid"])
    eventually(lambda: refusal(first) == (401, "session_ended"))
    assert refusal(second) == (200, None)


def test_an_account_that_is_disabled_loses_its_session_when_its_tokens_are_next_refreshed(
    browser: Browser, keycloak: KeycloakServer
) -> None:
    visitor = browser()
    log_in(visitor, "dave")
    keycloak.enable("dave", enabled=False)
    try:
        assert visitor.call("POST", "/bff/session/refresh").json()["authenticated"] is False
        assert refusal(visitor) == (401, "session_ended")
        assert keycloak.kinds()[-1] == "REFRESH_TOKEN_ERROR"
    finally:
        keycloak.enable("dave", enabled=True)


def test_no_log_shows_a_token(stack: Stack) -> None:
    output = stack.gateway.output()
    assert output
    # How every signed token begins.
    assert "eyJ" not in output
    assert stack.keycloak.client_secret not in output


def test_a_route_with_a_scope_gets_a_token_with_that_scope_and_the_others_keep_theirs(browser: Browser) -> None:
    visitor = browser()
    log_in(visitor, "alice")
    less, whole = (visitor.call("GET", f"{prefix}/whoami").json()["scope"].split() for prefix in ("/less", "/api"))
    assert "read:timesheets" in less
    assert set(less) < set(whole)
    assert visitor.call("GET", "/less/timesheets").status_code == 200


def test_a_route_with_exchange_gets_a_token_that_keycloak_exchanged(browser: Browser) -> None:
    visitor = browser()
    log_in(visitor, "alice")
    exchanged, own = (visitor.call("GET", f"{prefix}/whoami").json() for prefix in ("/exchanged", "/api"))
    assert exchanged["sub"] == own["sub"]
    assert exchanged["jti"] != own["jti"]
    assert "read:timesheets" in exchanged["scope"].split()


def test_a_route_for_the_client_needs_no_login(browser: Browser) -> None:
    answer = browser().call("GET", "/machine/whoami")
    assert answer.status_code == 200, answer.text
    assert answer.json()["azp"] == "bff"


def test_a_token_exchanged_for_an_audience_is_for_that_api_alone_and_costs_the_session_nothing(
    browser: Browser,
) -> None:
    visitor = browser()
    log_in(visitor, "alice")
    exchanged = visitor.call("GET", "/reports/whoami")
    assert exchanged.status_code == 200, exchanged.text
    assert "read:reports" in exchanged.json()["scope"].split()
    assert exchanged.json()["aud"] in ("reports", ["reports"])
    # After an exchange without `openid` Keycloak leaves it out of every later token of the login, UserInfo with it.
    assert visitor.call("POST", "/bff/session/refresh").json()["authenticated"] is True
    for prefix in ("/less", "/api"):
        assert "openid" in visitor.call("GET", f"{prefix}/whoami").json()["scope"].split()


@pytest.fixture
def signing(stack: Stack, keycloak: KeycloakServer) -> Iterator[GatewayServer]:
    """A gateway that signs its requests with the older of two registered keys, and gets signed answers."""
    newer, older = (key.as_pem(private=True).decode() for key in (key_for("PS256"), key_for("ES256")))
    jwks = json.dumps({"keys": [key.public_jwk() for key in parse_signing_keys(newer + older)]})
    port = reserve_port()
    public_url = f"http://127.0.0.1:{port}"
    known = keycloak.add_client_with_keys("signing", public_url, jwks)
    upstream_url, redis_url = (stack.gateway.environment[name] for name in ("BFF_UPSTREAM_URL", "BFF_REDIS_URL"))
    settings = {
        **dict.fromkeys(("BFF_RESOURCE", "BFF_CLIENT_SECRET")),
        "BFF_SCOPES": GUIDE["BFF_SCOPES"],
        "BFF_CLIENT_AUTH": "private_key_jwt",
        "BFF_CLIENT_KEY": older,
        "BFF_REQUEST_OBJECT": "signed",
        "BFF_RESPONSE_MODE": "jwt",
        "BFF_PAR": "off",
    }
    with start_gateway(known, upstream_url, redis_url, port=port, **settings) as gateway:
        yield gateway


def test_requests_signed_in_the_browser_and_signed_answers_with_a_key_that_is_being_changed(
    signing: GatewayServer,
) -> None:
    with closing(Visitor(signing.public_url)) as visitor:
        visitor._client.cookies.jar.set_policy(DefaultCookiePolicy(secure_protocols=("http", "https")))
        form = visitor.navigate("/bff/login?return_to=/")
        assert set(parse_qs(form.url.query.decode())) == {"client_id", "request"}
        landed = visitor.submit(form, username="alice", password="alice-demo")
        assert (landed.status_code, landed.url.path) == (200, "/"), landed.text
        assert visitor.call("POST", "/bff/session/refresh").json()["authenticated"] is True
        assert visitor.call("GET", "/api/whoami").json()["azp"] == "signing"
