"""One login, several APIs: the application's own and a management-style second one, as Auth0's users run them.

The provider is the certified oidc-provider with resource indicators and rotating refresh tokens; each API is an Express
application that takes tokens for its own audience alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from bff.demo.check import Visitor
from tests.support.express_api import start_express_api
from tests.support.oidc_provider import OidcProviderServer, start_oidc_provider
from tests.support.processes import AUDIENCE, GatewayServer, start_gateway, start_valkey

MANAGEMENT = "https://management.example/v2/"
SCOPES = "openid profile email offline_access read:timesheets read:reports"
SHORT = 3


@dataclass
class Stack:
    """The provider, the gateway, and the two APIs behind it."""

    provider: OidcProviderServer
    gateway: GatewayServer


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with ExitStack() as started:
        provider = started.enter_context(start_oidc_provider(further_resources={MANAGEMENT: "read:reports"}))
        own = started.enter_context(start_express_api(provider.issuer, AUDIENCE))
        management = started.enter_context(start_express_api(provider.issuer, MANAGEMENT))
        valkey = started.enter_context(start_valkey())
        target = {"upstream": management.url, "resource": MANAGEMENT}
        routes: list[dict[str, Any]] = [
            {"prefix": "/api", "upstream": own.url},
            {"prefix": "/management", **target},
            {"prefix": "/reports", **target, "scope": "read:reports", "require_scope": "read:reports"},
            {"prefix": "/mixed-up", "upstream": own.url, "resource": MANAGEMENT},
            {"prefix": "/unknown", "upstream": own.url, "resource": "https://unknown.example/", "token": "client"},
            {"prefix": "/machine", **target, "token": "client", "scope": "read:reports"},
            {"prefix": "/either", **target, "token": "user-or-client"},
        ]
        settings: dict[str, Any] = {
            **provider.settings,
            "BFF_SCOPES": SCOPES,
            "BFF_UPSTREAM_URL": None,
            "BFF_ROUTES": json.dumps(routes),
        }
        gateway = started.enter_context(start_gateway(provider, own.url, valkey.url, **settings))
        yield Stack(provider, gateway)


@pytest.fixture
def visitor(stack: Stack) -> Iterator[Visitor]:
    stack.provider.control(access_token_lifetime=300)
    stack.provider.clear_log()
    visitor = Visitor(stack.gateway.public_url)
    yield visitor
    visitor.close()


def log_in(visitor: Visitor, username: str = "alice") -> None:
    answer = visitor.navigate(f"/bff/login?{httpx2.QueryParams(login_hint=username, return_to='/')}")
    assert answer.status_code == 200, answer.text


def whoami(visitor: Visitor, prefix: str) -> dict[str, Any]:
    answer = visitor.call("GET", f"{prefix}/whoami")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_each_api_gets_a_token_for_itself_from_one_login(stack: Stack, visitor: Visitor) -> None:
    log_in(visitor, "bob")
    own, management = whoami(visitor, "/api"), whoami(visitor, "/management")
    assert (own["api"], own["aud"], own["sub"]) == (AUDIENCE, AUDIENCE, "user-bob")
    assert (management["api"], management["aud"], management["sub"]) == (MANAGEMENT, MANAGEMENT, "user-bob")
    assert "read:timesheets" in own["scope"]
    assert management["scope"] == "read:reports"
    (refresh,) = stack.provider.requests("token", grant_type="refresh_token")
    assert refresh["asked"] == MANAGEMENT


def test_a_scope_of_the_second_api_opens_its_operation(visitor: Visitor) -> None:
    log_in(visitor)
    assert visitor.call("GET", "/reports/reports").json() == {"reports": []}


def test_no_api_takes_the_token_of_the_other(visitor: Visitor) -> None:
    log_in(visitor)
    assert visitor.call("GET", "/mixed-up/whoami").status_code == 401


def test_both_tokens_are_renewed_from_one_rotating_refresh_token(stack: Stack, visitor: Visitor) -> None:
    stack.provider.control(access_token_lifetime=SHORT)
    log_in(visitor)
    for _ in range(3):
        assert whoami(visitor, "/api")["aud"] == AUDIENCE
        assert whoami(visitor, "/management")["aud"] == MANAGEMENT
        time.sleep(SHORT)
    stack.provider.control(access_token_lifetime=300)
    refreshes = stack.provider.requests("token", grant_type="refresh_token")
    assert len(refreshes) == 5
    assert {refresh["status"] for refresh in refreshes} == {200}
    assert {refresh["asked"] for refresh in refreshes} == {AUDIENCE, MANAGEMENT}
    assert visitor.call("GET", "/bff/session").json()["authenticated"] is True


def test_an_api_that_knows_no_users_is_called_without_a_login(stack: Stack, visitor: Visitor) -> None:
    caller = whoami(visitor, "/machine")
    assert (caller["aud"], caller["scope"]) == (MANAGEMENT, "read:reports")
    assert caller["client_id"] == "basic"
    assert visitor.call("GET", "/machine/reports").json() == {"reports": []}
    assert len(stack.provider.requests("token", grant_type="client_credentials")) <= 1
    assert visitor.call("GET", "/api/whoami").status_code == 401


def test_with_a_login_the_same_route_speaks_for_the_user(visitor: Visitor) -> None:
    assert whoami(visitor, "/either").get("sub") in (None, "basic")
    log_in(visitor, "carol")
    assert whoami(visitor, "/either")["sub"] == "user-carol"


def test_the_gateways_own_token_is_not_for_other_sites(stack: Stack) -> None:
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = httpx2.get(f"{stack.gateway.public_url}/machine/whoami", headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_rejected")


def test_a_resource_the_provider_does_not_know_is_the_operators_fault(visitor: Visitor) -> None:
    log_in(visitor)
    answer = visitor.call("GET", "/unknown/whoami")
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
    assert answer.headers["retry-after"]
    assert visitor.call("GET", "/api/whoami").status_code == 200


def test_a_forced_refresh_renews_the_tokens_of_all_apis(stack: Stack, visitor: Visitor) -> None:
    log_in(visitor)
    whoami(visitor, "/management")
    stack.provider.clear_log()
    assert visitor.call("POST", "/bff/session/refresh").status_code == 200
    whoami(visitor, "/api")
    whoami(visitor, "/management")
    asked = [refresh["asked"] for refresh in stack.provider.requests("token", grant_type="refresh_token")]
    assert asked == [AUDIENCE, MANAGEMENT]
