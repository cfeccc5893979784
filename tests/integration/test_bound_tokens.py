"""Bound tokens without a profile: at an ordinary provider, and at APIs that know nothing of each other (RFC 9449)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from bff.demo.check import Visitor
from tests.support.express_api import start_express_api
from tests.support.fapi import ResourceServer, start_resource_server
from tests.support.oidc_provider import OidcProviderServer, start_oidc_provider
from tests.support.processes import AUDIENCE, GatewayServer, Server, start_gateway

SCOPES = "openid profile email offline_access read:timesheets"


@dataclass
class Stack:
    """A provider, two APIs that take bound tokens alone, one that takes any, and a gateway in front of them."""

    provider: OidcProviderServer
    strict: ResourceServer
    express: Server
    gateway: GatewayServer


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with ExitStack() as started:
        provider = started.enter_context(start_oidc_provider())
        strict = started.enter_context(start_resource_server(provider))
        express = started.enter_context(start_express_api(provider.issuer, AUDIENCE, is_bound=True))
        lenient = started.enter_context(start_express_api(provider.issuer, AUDIENCE))
        routes = [
            {"prefix": "/strict", "upstream": strict.url},
            {"prefix": "/express", "upstream": express.url},
            {"prefix": "/lenient", "upstream": lenient.url},
        ]
        variables = {"BFF_DPOP": "auto", "BFF_UPSTREAM_URL": None, "BFF_ROUTES": json.dumps(routes)}
        settings: dict[str, Any] = {**provider.settings, **variables, "BFF_SCOPES": SCOPES}
        gateway = started.enter_context(start_gateway(provider, "", None, **settings))
        yield Stack(provider, strict, express, gateway)


@pytest.fixture
def visitor(stack: Stack) -> Iterator[Visitor]:
    visitor = Visitor(stack.gateway.public_url)
    answer = visitor.navigate(f"/bff/login?{httpx2.QueryParams(login_hint='alice', return_to='/')}")
    assert answer.status_code == 200, answer.text
    yield visitor
    visitor.close()


def test_auth0s_own_library_takes_the_proofs_and_no_token_without_one(stack: Stack, visitor: Visitor) -> None:
    answer = visitor.call("GET", "/express/whoami?with=query")
    assert (answer.status_code, answer.json().get("sub")) == (200, "user-alice")
    stolen = stack.provider.secrets("access_token")[-1]
    for scheme in ("Bearer", "DPoP"):
        with httpx2.Client(trust_env=False) as thief:
            answer = thief.get(f"{stack.express.url}/whoami", headers={"Authorization": f"{scheme} {stolen}"})
        assert answer.status_code in (400, 401)


def test_one_session_calls_apis_with_and_without_nonces(stack: Stack, visitor: Visitor) -> None:
    for _ in range(8):
        assert visitor.call("GET", "/strict/whoami").status_code == 200
        assert visitor.call("GET", "/express/whoami").status_code == 200
        assert visitor.call("GET", "/lenient/whoami").status_code == 200
    refusals = [entry for entry in stack.strict.log() if entry["status"] == 401]
    assert refusals
    assert all("use_dpop_nonce" in entry["challenge"] for entry in refusals)


def test_a_refresh_keeps_the_key(stack: Stack, visitor: Visitor) -> None:
    assert visitor.call("POST", "/bff/session/refresh").status_code == 200
    assert visitor.call("GET", "/express/whoami").status_code == 200
    assert visitor.call("GET", "/strict/whoami").status_code == 200
