"""The whole of a FAPI 2.0 login and its calls, at a certified authorization server and a strict resource server.

Each client proves itself, and binds its tokens, in another of the ways that the profile has.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bff.demo.check import Visitor
from bff.demo.child import clean_environment
from tests.integration.test_oidc_provider import eventually
from tests.support.certificates import authority_certificate
from tests.support.fapi import ResourceServer, start_fapi_provider, start_resource_server
from tests.support.oidc_provider import OidcProviderServer
from tests.support.processes import GatewayServer, start_gateway, start_valkey

SCOPES = "openid profile email offline_access read:timesheets create:timesheets"
CLIENTS = ("key-dpop", "key-mtls", "mtls-mtls", "mtls-dpop", "signing")
BOUND_TO_KEY = ("key-dpop", "mtls-dpop", "signing")

Browser = Callable[[str], Visitor]


@dataclass
class Stack:
    """The servers, and one application for each client."""

    provider: OidcProviderServer
    resources: dict[str, ResourceServer]
    gateways: dict[str, GatewayServer]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory: Path = tmp_path_factory.mktemp("fapi")
    with ExitStack() as started:
        provider = started.enter_context(start_fapi_provider(directory))
        valkey = started.enter_context(start_valkey())
        plain = started.enter_context(start_resource_server(provider))
        secure = started.enter_context(start_resource_server(provider, is_secure=True))
        resources = {client: plain if client in BOUND_TO_KEY else secure for client in CLIENTS}

        def gateway(client: str) -> GatewayServer:
            known = provider.seen_by(client)
            settings: dict[str, Any] = {
                "BFF_SCOPES": SCOPES,
                "BFF_COOKIE_NAME": f"bff-{client}",
                "BFF_CA_FILE": str(directory / "authority.pem"),
                **known.settings,
            }
            return started.enter_context(start_gateway(known, resources[client].url, valkey.url, **settings))

        yield Stack(provider, resources, {client: gateway(client) for client in CLIENTS})


@pytest.fixture
def provider(stack: Stack) -> Iterator[OidcProviderServer]:
    stack.provider.clear_log()
    yield stack.provider
    assert stack.provider.errors() == []


@pytest.fixture
def browser(stack: Stack) -> Iterator[Browser]:
    with ExitStack() as opened:

        def open_browser(client: str) -> Visitor:
            visitor = Visitor(stack.gateways[client].public_url)
            opened.callback(visitor.close)
            return visitor

        yield open_browser


def log_in(visitor: Visitor, username: str = "alice") -> None:
    answer = visitor.navigate(f"/bff/login?{httpx2.QueryParams(login_hint=username, return_to='/')}")
    assert answer.status_code == 200, answer.text
    assert visitor.call("GET", "/bff/session").json()["authenticated"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_login_and_calls_with_a_token_that_nobody_else_could_use(
    stack: Stack, provider: OidcProviderServer, browser: Browser, client: str
) -> None:
    visitor = browser(client)
    log_in(visitor, "bob")
    for number in range(7):
        answer = visitor.call("GET", f"/api/whoami?number={number}")
        assert answer.status_code == 200, answer.text
        assert answer.json()["bound"] == ("key" if client in BOUND_TO_KEY else "certificate")
        assert (answer.json()["sub"], answer.json()["client_id"]) == ("user-bob", client)
        assert "dpop-nonce" not in answer.headers


@pytest.mark.parametrize("client", CLIENTS)
def test_bff_check_finds_nothing_that_would_not_work(stack: Stack, client: str) -> None:
    command = [sys.executable, "-m", "bff", "check", "--json"]
    environment = clean_environment(**stack.gateways[client].environment)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    report = json.loads(done.stdout)
    assert [finding for finding in report["findings"] if finding["level"] in ("degraded", "unusable")] == []


@pytest.mark.parametrize("client", BOUND_TO_KEY)
def test_a_body_reaches_a_server_whose_nonce_has_changed(
    stack: Stack, provider: OidcProviderServer, browser: Browser, client: str
) -> None:
    visitor = browser(client)
    log_in(visitor)
    before = len(stack.resources[client].log())
    for number in range(7):
        answer = visitor.call("POST", "/api/notes", {"number": number})
        assert (answer.status_code, json.loads(answer.json()["body"])) == (200, {"number": number})
    log = stack.resources[client].log()[before:]
    assert [entry["status"] for entry in log].count(200) == 7
    assert all("use_dpop_nonce" in entry["challenge"] for entry in log if entry["status"] == 401)
    assert [entry for entry in log if entry["status"] == 401], "the nonce has changed on the way"


@pytest.mark.parametrize("client", CLIENTS)
def test_tokens_are_renewed_with_the_same_binding(
    stack: Stack, provider: OidcProviderServer, browser: Browser, client: str
) -> None:
    visitor = browser(client)
    log_in(visitor)
    for _ in range(2):
        assert visitor.call("POST", "/bff/session/refresh").status_code == 200
        assert visitor.call("GET", "/api/whoami").status_code == 200
    refreshes = provider.requests("token", grant_type="refresh_token", status=200)
    assert [request["client_id"] for request in refreshes] == [client, client]


@pytest.mark.parametrize("client", CLIENTS)
def test_every_request_was_pushed_and_the_browser_carried_a_reference_alone(
    stack: Stack, provider: OidcProviderServer, browser: Browser, client: str
) -> None:
    with httpx2.Client(trust_env=False) as browsing:
        headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
        answer = browsing.get(f"{stack.gateways[client].public_url}/bff/login", headers=headers)
    parameters = httpx2.URL(answer.headers["location"]).params
    assert set(parameters) == {"client_id", "request_uri"}
    assert provider.requests("pushed_authorization_request", client_id=client, status=201)


@pytest.mark.parametrize("client", CLIENTS)
def test_logout_revokes_the_refresh_token(
    stack: Stack, provider: OidcProviderServer, browser: Browser, client: str
) -> None:
    visitor = browser(client)
    log_in(visitor)
    assert visitor.call("POST", "/bff/logout").status_code == 200
    eventually(lambda: len(provider.requests("revocation", client_id=client, status=200)) >= 1)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_logout_at_the_provider_ends_the_session(
    stack: Stack, provider: OidcProviderServer, browser: Browser, client: str
) -> None:
    visitor = browser(client)
    log_in(visitor)
    visitor.submit(visitor.navigate(f"{provider.issuer}/session/end"), logout="yes")
    answer = visitor.call("GET", "/api/whoami")
    assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")


def test_no_log_shows_what_the_provider_has_issued(stack: Stack) -> None:
    issued = stack.provider.secrets()
    assert issued
    for gateway in stack.gateways.values():
        output = gateway.output()
        assert [secret for secret in issued if secret in output] == []


@contextmanager
def application(stack: Stack, directory: Path, client: str, **settings: Any) -> Iterator[Visitor]:
    """A further application of a client, in memory, and a browser at it."""
    known = stack.provider.seen_by(client)
    (directory / "authority.pem").write_bytes(authority_certificate())
    variables: dict[str, Any] = {"BFF_CA_FILE": str(directory / "authority.pem"), **known.settings, **settings}
    with start_gateway(known, stack.resources[client].url, None, **variables) as gateway:
        visitor = Visitor(gateway.public_url)
        try:
            yield visitor
        finally:
            visitor.close()


@pytest.mark.parametrize("client", CLIENTS)
def test_a_plain_oauth_client_keeps_to_all_of_it_as_well(
    stack: Stack, provider: OidcProviderServer, tmp_path: Path, client: str
) -> None:
    with application(stack, tmp_path, client, BFF_SCOPES="read:timesheets") as visitor:
        log_in(visitor)
        answer = visitor.call("GET", "/api/whoami")
        assert (answer.status_code, answer.json()["client_id"]) == (200, client)


@pytest.mark.parametrize("client", ["key-dpop", "mtls-mtls"])
def test_userinfo_is_asked_with_the_bound_token(
    stack: Stack, provider: OidcProviderServer, tmp_path: Path, client: str
) -> None:
    # Without a resource the token is for the provider's own UserInfo.
    settings = {"BFF_SCOPES": "openid profile email", "BFF_RESOURCE": None, "BFF_USERINFO": "on"}
    with application(stack, tmp_path, client, **settings) as visitor:
        log_in(visitor)
        assert visitor.call("GET", "/bff/session").json()["claims"]["email"] == "alice@example.com"
