"""Step-up, with real processes: an API that wants a confirmed login for one operation, and routes that want one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from bff.demo.check import Visitor, log_in
from bff.demo.provider.authentication import CONFIRMED
from tests.support.processes import (
    GatewayServer,
    ProviderServer,
    start_gateway,
    start_provider,
    start_timesheets,
    start_valkey,
)


@dataclass
class Stack:
    """The provider, and a gateway with an API that demands and routes that do."""

    provider: ProviderServer
    gateway: GatewayServer


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with ExitStack() as started:
        valkey = started.enter_context(start_valkey())
        provider = started.enter_context(start_provider(auto_login=None))
        api = started.enter_context(start_timesheets(provider, arguments=["--approve-acr", CONFIRMED]))
        never = started.enter_context(start_timesheets(provider, arguments=["--approve-acr", "urn:never:reached"]))
        routes = json.dumps(
            [
                {"prefix": "/api", "upstream": api.url},
                {"prefix": "/never", "upstream": never.url},
                {"prefix": "/confirmed", "upstream": api.url, "acr_values": [CONFIRMED]},
                {"prefix": "/recent", "upstream": api.url, "max_age": 2},
                {"prefix": "/impossible", "upstream": api.url, "acr_values": "urn:never:reached"},
            ]
        )
        settings: dict[str, Any] = {"BFF_UPSTREAM_URL": None, "BFF_ROUTES": routes}
        yield Stack(provider, started.enter_context(start_gateway(provider, api.url, valkey.url, **settings)))


@pytest.fixture
def visitor(stack: Stack) -> Iterator[Visitor]:
    with closing(Visitor(stack.gateway.public_url)) as visitor:
        assert log_in(visitor, "alice").status_code == 200
        yield visitor


def demand(answer: httpx2.Response) -> str:
    """Return the login URL of an answer that demands another login."""
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    assert document["code"] == "step_up_required"
    login_url: str = document["login_url"]
    return login_url


def other_peoples_sheet(visitor: Visitor) -> str:
    sheets = visitor.call("GET", "/api/timesheets").json()["timesheets"]
    return next(
        str(sheet["id"]) for sheet in sheets if sheet["owner"] != "user-alice" and sheet["status"] == "submitted"
    )


def test_an_approval_needs_a_confirmed_login_and_has_it_after_the_way_back(stack: Stack, visitor: Visitor) -> None:
    path = f"/api/timesheets/{other_peoples_sheet(visitor)}/approve"
    login_url = demand(visitor.call("POST", path))
    assert parse_qs(urlsplit(login_url).query) == {"acr_values": [CONFIRMED]}
    before = dict(visitor._client.cookies)
    page = visitor.navigate(f"{login_url}&return_to=/sheets%3Fweek%3D7")
    assert "Is it you?" in page.text
    # Until then nothing has changed, and nothing was done in the meantime.
    assert visitor.call("GET", "/bff/session").json()["authenticated"] is True
    page = visitor.submit(page, confirm="1")
    assert (page.url.path, page.url.query) == ("/sheets", b"week=7")
    assert dict(visitor._client.cookies)["bff"] != before["bff"]
    assert visitor.call("POST", path).status_code == 200


def test_a_confirmation_that_is_declined_leaves_the_session_as_it_is(visitor: Visitor) -> None:
    login_url = demand(visitor.call("GET", "/confirmed/timesheets"))
    page = visitor.submit(visitor.navigate(login_url), cancel="1")
    assert page.status_code == 400
    assert visitor.call("GET", "/api/timesheets").status_code == 200
    demand(visitor.call("GET", "/confirmed/timesheets"))


def test_a_route_that_demands_a_context_asks_no_upstream_before_it_is_reached(visitor: Visitor) -> None:
    login_url = demand(visitor.call("GET", "/confirmed/timesheets"))
    visitor.submit(visitor.navigate(login_url), confirm="1")
    assert visitor.call("GET", "/confirmed/timesheets").status_code == 200


def test_a_route_that_demands_a_recent_login_gets_one(visitor: Visitor) -> None:
    time.sleep(3)
    login_url = demand(visitor.call("GET", "/recent/timesheets"))
    assert login_url == "/bff/login?max_age=2"
    page = visitor.navigate(login_url)
    page = visitor.submit(page, username="alice")
    assert visitor.call("GET", "/recent/timesheets").status_code == 200


@pytest.mark.parametrize("target", ["/impossible/timesheets", "/never/timesheets/{}/approve"])
def test_a_strength_that_the_provider_does_not_reach_ends_on_a_page_and_not_in_a_circle(
    visitor: Visitor, target: str
) -> None:
    path = target.format(other_peoples_sheet(visitor))
    login_url = demand(visitor.call("POST" if "approve" in path else "GET", path))
    page = visitor.navigate(f"{login_url}&return_to=/sheets")
    assert page.status_code == 400
    assert page.url.path == "/bff/callback"
    assert "The login did not reach the strength that was asked for." in page.text
    assert visitor.call("GET", "/api/timesheets").status_code == 200


def test_a_navigation_gets_a_page_with_the_way_to_the_login(visitor: Visitor) -> None:
    page = visitor.navigate("/confirmed/timesheets")
    assert page.status_code == 401
    assert f'href="/bff/login?acr_values={CONFIRMED}"' in page.text
