"""The gateway against the certified oidc-provider: what this project tells itself of the protocols, told by another."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit

import httpx2
import pytest

from bff.demo.check import Visitor
from tests.support.oidc_provider import OidcProviderServer, start_oidc_provider
from tests.support.processes import GatewayServer, start_gateway, start_timesheets, start_valkey

SHORT = 3
"""Seconds that a short-lived access token lives."""

SCOPES = "openid profile email offline_access read:timesheets create:timesheets"

Browser = Callable[..., Visitor]

CLIENTS = ("basic", "post", "private-key")


@dataclass
class Stack:
    """One provider and three applications: `basic` on two instances, each of the others on one."""

    provider: OidcProviderServer
    gateways: dict[str, GatewayServer]
    second: GatewayServer


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with ExitStack() as started:
        provider = started.enter_context(start_oidc_provider())
        valkey = started.enter_context(start_valkey())
        timesheets = started.enter_context(start_timesheets(provider))

        def gateway(client_id: str, public_url: str | None = None) -> GatewayServer:
            client = provider.seen_by(client_id)
            # Cookies know no ports: on one host the applications need cookies of their own.
            settings: dict[str, Any] = {"BFF_SCOPES": SCOPES, "BFF_COOKIE_NAME": f"bff-{client_id}", **client.settings}
            return started.enter_context(
                start_gateway(client, timesheets.url, valkey.url, public_url=public_url, **settings)
            )

        gateways = {client_id: gateway(client_id) for client_id in CLIENTS}
        yield Stack(provider, gateways, gateway("basic", gateways["basic"].public_url))


@pytest.fixture
def browser(stack: Stack) -> Iterator[Browser]:
    """Opens a new browser at one of the applications."""
    with ExitStack() as opened:

        def open_browser(client: str = "basic") -> Visitor:
            visitor = Visitor(stack.gateways[client].public_url)
            opened.callback(visitor.close)
            return visitor

        yield open_browser


@pytest.fixture
def provider(stack: Stack) -> Iterator[OidcProviderServer]:
    stack.provider.control(access_token_lifetime=300)
    stack.provider.clear_log()
    yield stack.provider
    assert stack.provider.errors() == []


def log_in(visitor: Visitor, username: str = "alice", **parameters: str) -> None:
    answer = visitor.navigate(f"/bff/login?{httpx2.QueryParams(login_hint=username, return_to='/', **parameters)}")
    assert answer.status_code == 200, answer.text
    assert session(visitor)["authenticated"]


def session(visitor: Visitor) -> dict[str, Any]:
    answer = visitor.call("GET", "/bff/session")
    assert answer.status_code == 200
    shown: dict[str, Any] = answer.json()
    return shown


def log_in_shortly(stack: Stack, visitor: Visitor) -> None:
    """Log in with an access token that has expired when this returns; the next one lives long."""
    stack.provider.control(access_token_lifetime=SHORT)
    log_in(visitor)
    stack.provider.control(access_token_lifetime=300)
    time.sleep(SHORT)
    stack.provider.clear_log()


def without_query(page: httpx2.Response) -> str:
    return str(page.url).partition("?")[0]


def eventually(fact: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not fact():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_login_gives_a_session_and_calls_carry_a_token_that_the_api_accepts(
    stack: Stack, browser: Browser, provider: OidcProviderServer, client: str
) -> None:
    visitor = browser(client)
    log_in(visitor, "bob")
    assert session(visitor)["claims"] == {
        "sub": "user-bob",
        "name": "Bob Baker",
        "given_name": "Bob",
        "family_name": "Baker",
        "preferred_username": "bob",
        "email": "bob@example.com",
        "email_verified": True,
        "locale": "en",
    }
    caller = visitor.call("GET", "/api/whoami")
    assert caller.status_code == 200, caller.text
    assert (caller.json()["sub"], caller.json()["client_id"]) == ("user-bob", client)
    pushed = provider.requests("pushed_authorization_request")
    assert [(request["client_id"], request["status"]) for request in pushed] == (
        [] if client == "basic" else [(client, 201)]
    )
    (redeemed,) = provider.requests("token")
    assert (redeemed["client_id"], redeemed["grant_type"], redeemed["status"]) == (client, "authorization_code", 200)


def test_someone_unknown_fills_in_the_providers_form(
    stack: Stack, browser: Browser, provider: OidcProviderServer
) -> None:
    visitor = browser()
    form = visitor.navigate("/bff/login")
    assert "Who are you?" in form.text
    landed = visitor.submit(form, username="alice")
    assert without_query(landed) == f"{stack.gateways['basic'].public_url}/"
    assert session(visitor)["claims"]["name"] == "Alice Archer"


def test_a_login_refused_at_the_provider_leaves_nobody_signed_in(stack: Stack, browser: Browser) -> None:
    stack.provider.clear_log()
    visitor = browser()
    page = visitor.submit(visitor.navigate("/bff/login"), deny="1")
    assert page.status_code == 400
    assert urlsplit(str(page.url)).path == "/bff/callback"
    assert session(visitor)["authenticated"] is False
    assert stack.provider.requests("token") == []


def test_scopes_that_were_asked_for_but_not_granted_are_not_usable(
    stack: Stack, browser: Browser, provider: OidcProviderServer
) -> None:
    visitor = browser()
    log_in(visitor, "dave")
    answer = visitor.call("GET", "/api/timesheets")
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def test_a_fresh_login_can_be_demanded(stack: Stack, browser: Browser, provider: OidcProviderServer) -> None:
    visitor = browser()
    log_in(visitor)
    form = visitor.navigate("/bff/login?prompt=login&max_age=60")
    assert "Who are you?" in form.text
    visitor.submit(form, username="alice")
    assert session(visitor)["authenticated"] is True


@pytest.mark.parametrize("client", CLIENTS)
def test_an_expired_access_token_is_renewed_with_the_rotated_refresh_token_again_and_again(
    stack: Stack, browser: Browser, provider: OidcProviderServer, client: str
) -> None:
    visitor = browser(client)
    log_in(visitor)
    for _ in range(3):
        assert visitor.call("POST", "/bff/session/refresh").status_code == 200
        assert visitor.call("GET", "/api/whoami").status_code == 200
    refreshes = provider.requests("token", grant_type="refresh_token", client_id=client)
    assert [request["status"] for request in refreshes] == [200, 200, 200]
    assert provider.events()["refresh_token.consumed"] == 3


async def test_calls_at_two_instances_make_one_token_request_when_the_token_has_expired(
    stack: Stack, browser: Browser, provider: OidcProviderServer
) -> None:
    visitor = browser()
    await asyncio.to_thread(log_in_shortly, stack, visitor)
    statuses = Counter(await asyncio.gather(*(call_at(stack, visitor, number) for number in range(60))))
    assert statuses == {200: 60}
    assert [request["status"] for request in provider.requests("token")] == [200]
    # The provider ends the grant when a refresh token comes twice.
    assert provider.events()["grant.revoked"] == 0


async def call_at(stack: Stack, visitor: Visitor, number: int) -> int:
    gateway = (stack.gateways["basic"], stack.second)[number % 2]
    cookies = visitor._client.cookies
    async with httpx2.AsyncClient(trust_env=False, cookies=cookies, timeout=30.0) as browser:
        answer = await browser.get(f"{gateway.url}/api/timesheets", headers={"Sec-Fetch-Site": "same-origin"})
        return answer.status_code


def test_a_refresh_shows_the_claims_as_they_are_now(
    stack: Stack, browser: Browser, provider: OidcProviderServer
) -> None:
    visitor = browser()
    log_in(visitor, "carol")
    provider.control(claims={"carol": {"name": "Carol Carter"}})
    try:
        shown = visitor.call("POST", "/bff/session/refresh").json()
    finally:
        provider.control(claims={"carol": {"name": "Carol Cooper"}})
    assert shown["claims"]["name"] == "Carol Carter"


def test_a_refresh_token_that_someone_else_has_used_ends_the_session(
    stack: Stack, browser: Browser, provider: OidcProviderServer
) -> None:
    visitor = browser()
    provider.control(access_token_lifetime=SHORT)
    log_in(visitor)
    stolen = provider.secrets("refresh_token")[-1]
    assert visitor.call("POST", "/bff/session/refresh").status_code == 200
    assert refresh_elsewhere(provider, stolen) == 400
    assert provider.events()["grant.revoked"] == 1
    time.sleep(SHORT)
    answer = visitor.call("GET", "/api/whoami")
    assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")


def refresh_elsewhere(provider: OidcProviderServer, refresh_token: str) -> int:
    """Use a refresh token with stolen client credentials; the status."""
    authorization = httpx2.BasicAuth(quote_plus(provider.client_id), quote_plus(provider.client_secret))
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    with httpx2.Client(trust_env=False) as thief:
        return thief.post(f"{provider.url}/token", data=form, auth=authorization).status_code


@pytest.mark.parametrize("client", CLIENTS)
def test_logout_revokes_the_refresh_token_and_ends_the_providers_session_too(
    stack: Stack, browser: Browser, provider: OidcProviderServer, client: str
) -> None:
    visitor = browser(client)
    log_in(visitor)
    answer = visitor.call("POST", "/bff/logout")
    assert answer.status_code == 200
    assert visitor.call("GET", "/api/whoami").status_code == 401
    eventually(lambda: len(provider.requests("revocation", client_id=client, status=200)) == 1)
    eventually(lambda: provider.events()["grant.revoked"] == 1)

    url = urlsplit(answer.json()["logout_url"])
    assert f"{url.scheme}://{url.netloc}" == provider.issuer
    assert len(parse_qs(url.query)["id_token_hint"]) == 1
    landed = visitor.submit(visitor.navigate(answer.json()["logout_url"]), logout="yes")
    assert without_query(landed) == f"{stack.gateways[client].public_url}/"
    assert provider.events()["end_session.success"] == 1
    assert session(visitor)["authenticated"] is False
    assert "Who are you?" in visitor.navigate("/bff/login").text


def test_a_logout_that_the_user_cancels_at_the_provider_still_ends_ours(
    stack: Stack, browser: Browser, provider: OidcProviderServer
) -> None:
    visitor = browser()
    log_in(visitor)
    page = visitor.navigate(visitor.call("POST", "/bff/logout").json()["logout_url"])
    landed = visitor.submit(page)
    assert without_query(landed) == f"{stack.gateways['basic'].public_url}/"
    assert session(visitor)["authenticated"] is False
    # The provider still knows them: no form this time.
    assert visitor.navigate("/bff/login").url.path == "/"
    assert session(visitor)["authenticated"] is True


def test_a_logout_at_the_provider_ends_the_sessions_of_all_applications_in_that_browser_alone(
    stack: Stack, browser: Browser, provider: OidcProviderServer
) -> None:
    visitor, elsewhere = browser(), browser()
    log_in(visitor)
    log_in(elsewhere)
    for client in ("post", "private-key"):
        assert visitor.navigate(f"{stack.gateways[client].public_url}/bff/login").status_code == 200
    for gateway in stack.gateways.values():
        assert visitor.call("GET", f"{gateway.public_url}/api/whoami").status_code == 200

    visitor.submit(visitor.navigate(f"{provider.issuer}/session/end"), logout="yes")

    assert provider.events()["backchannel.success"] == 3
    for gateway in stack.gateways.values():
        answer = visitor.call("GET", f"{gateway.public_url}/api/whoami")
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")
    assert visitor.call("GET", f"{stack.second.url}/api/whoami").status_code == 401
    assert elsewhere.call("GET", "/api/whoami").status_code == 200


def test_a_provider_that_started_anew_with_new_keys_can_be_used_at_once(stack: Stack, browser: Browser) -> None:
    old = browser()
    log_in(old)
    stack.provider.stop()
    stack.provider.restart()
    for client, gateway in stack.gateways.items():
        stack.provider.seen_by(client).register(gateway.public_url)
        visitor = browser(client)
        log_in(visitor)
        assert visitor.call("GET", "/api/whoami").status_code == 200
    # Its sessions are gone with it, and so is what it would have refreshed.
    assert old.call("POST", "/bff/session/refresh").json()["authenticated"] is False
    assert old.call("GET", "/api/whoami").json()["code"] == "session_ended"


@pytest.fixture(scope="module")
def reserved() -> Iterator[OidcProviderServer]:
    """A provider that issues refresh tokens as is its default: to requests with `prompt=consent` alone."""
    with start_oidc_provider(refresh_tokens="when consented") as provider:
        yield provider


@contextmanager
def visitor_at(provider: OidcProviderServer, **settings: Any) -> Iterator[Visitor]:
    settings = {"BFF_SCOPES": SCOPES, **provider.settings, **settings}
    with start_gateway(provider, "http://127.0.0.1:9", None, **settings) as gateway:
        visitor = Visitor(gateway.public_url)
        try:
            yield visitor
        finally:
            visitor.close()


def test_claims_that_are_not_in_the_id_token_come_from_userinfo(reserved: OidcProviderServer) -> None:
    # With a token for an API this provider has them in the ID token, for UserInfo refuses such tokens.
    with visitor_at(reserved, BFF_RESOURCE=None) as visitor:
        log_in(visitor, prompt="consent")
        assert session(visitor)["claims"]["email"] == "alice@example.com"
        reserved.control(claims={"alice": {"email": "archer@example.com"}})
        shown = visitor.call("POST", "/bff/session/refresh").json()
        assert shown["claims"]["email"] == "archer@example.com"
    assert reserved.errors() == []


def test_where_no_refresh_token_was_issued_the_session_lasts_as_long_as_the_access_token(
    reserved: OidcProviderServer,
) -> None:
    reserved.control(access_token_lifetime=SHORT)
    with visitor_at(reserved) as visitor:
        before = len(reserved.secrets("refresh_token"))
        log_in(visitor)
        assert len(reserved.secrets("refresh_token")) == before
        time.sleep(SHORT)
        answer = visitor.call("GET", "/api/whoami")
        assert (answer.status_code, answer.json()["code"]) == (401, "session_expired")


def test_no_log_shows_what_the_provider_has_issued(stack: Stack) -> None:
    issued = stack.provider.secrets()
    assert issued
    for gateway in (*stack.gateways.values(), stack.second):
        output = gateway.output()
        assert output
        assert [secret for secret in issued if secret in output] == []
