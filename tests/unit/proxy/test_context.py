"""What all calls of a process share."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest

from bff.proxy.context import SWEEP_INTERVAL, ProxiedRoute
from bff.proxy.pool import Origin
from bff.settings import Route, parse_upstream_url
from tests.support.fake_transports import turns
from tests.support.proxy_bench import ProxyBench, request
from tests.support.proxy_server import Meter
from tests.support.virtual_time import virtual_time


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


def settings_route(**changes: Any) -> Route:
    values: dict[str, Any] = {
        "prefix": "/api",
        "upstream": parse_upstream_url("https://api.example:8443/v1"),
        "methods": frozenset({"GET", "POST"}),
        "token": "user",
        "require_scope": ("read", "write"),
        "timeout": 5.0,
        "max_body": 100,
        "set_cookie": ("theme",),
    }
    return Route(**(values | changes))


def test_all_that_can_be_known_of_a_route_before_a_request_is() -> None:
    route, meter = settings_route(), Meter()
    made = ProxiedRoute.of(route, meter)
    assert made == ProxiedRoute(
        prefix="/api",
        prefix_bytes=b"/api",
        origin=Origin("api.example", 8443, is_secure=True),
        base_url="https://api.example:8443",
        host_line=b"Host: api.example:8443\r\n",
        upstream_path=b"/v1",
        methods=frozenset({b"GET", b"POST"}),
        reads_session=True,
        allows_anonymous=False,
        require_scope=frozenset({"read", "write"}),
        cookie_names=frozenset({b"theme"}),
        timeout=5.0,
        max_body=100,
        meter=meter,
        relocation=made.relocation,
    )
    assert made.relocation is not None
    assert made.relocation.of(b"https://api.example:8443/v1/x") == b"/api/x"


@pytest.mark.parametrize(
    "token, reads, anonymous", [("user", True, False), ("user-or-none", True, True), ("none", False, False)]
)
def test_the_token_policy_becomes_two_facts(token: str, reads: bool, anonymous: bool) -> None:
    made = ProxiedRoute.of(settings_route(token=token), Meter())
    assert (made.reads_session, made.allows_anonymous) == (reads, anonymous)


@pytest.mark.parametrize("token, shown", [("user", True), ("user-or-none", True), ("client", True), ("none", False)])
def test_the_clients_certificate_is_for_upstreams_that_get_tokens(token: str, shown: bool) -> None:
    made = ProxiedRoute.of(settings_route(token=token), Meter(), shows_certificate=True)
    assert made.origin.shows_certificate is shown
    assert ProxiedRoute.of(settings_route(token=token), Meter()).origin.shows_certificate is False


def test_a_pages_development_server_gets_what_is_nobody_elses_and_no_token() -> None:
    made = ProxiedRoute.dev_server(parse_upstream_url("http://127.0.0.1:5173"), Meter())
    assert (made.prefix_bytes, made.reads_session, made.websocket) == (b"", False, True)


def test_the_root_has_an_empty_prefix() -> None:
    assert ProxiedRoute.of(settings_route(prefix="/"), Meter()).prefix_bytes == b""


def test_request_ids_are_never_the_same() -> None:
    context = ProxyBench().context
    assert len({context.new_request_id() for _ in range(1000)}) == 1000


async def test_one_timer_watches_over_all_connections() -> None:
    bench = ProxyBench()
    idle, busy = bench.browser(), bench.browser()
    bench.context.start()
    await bench.asked(busy, request(b"GET", b"/open/x"))
    await asyncio.sleep(10 + 2 * SWEEP_INTERVAL)
    assert idle.is_closing()
    assert not busy.is_closing()
    await asyncio.sleep(20)
    assert busy.take_written().startswith(b"HTTP/1.1 504 ")
    bench.context.close()
    before = bench.context.now
    await asyncio.sleep(10)
    assert bench.context.now == before


async def test_closing_breaks_calls_off_and_keeps_no_connection() -> None:
    bench = ProxyBench()
    bench.context.start()
    first, second = bench.browser(), bench.browser()
    upstream = await bench.asked(first, request(b"GET", b"/open/1"))
    upstream.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    await turns()
    await bench.asked(second, request(b"GET", b"/open/2"))
    assert bench.pool.idle_count == 0
    bench.context.close()
    await turns()
    assert (second.was_aborted, upstream.was_aborted, bench.is_at_rest) == (True, True, True)


async def test_closing_what_was_never_started_is_nothing() -> None:
    ProxyBench().context.close()


async def test_a_trusted_proxy_may_say_who_the_client_is() -> None:
    bench = ProxyBench(trusted_proxies=[ip_network("192.0.2.0/24")])
    browser = bench.browser()
    for client in (b"198.51.100.1", b"198.51.100.1", b"203.0.113.5"):
        upstream = await bench.asked(browser, request(b"GET", b"/open/x", b"X-Forwarded-For: " + client + b"\r\n"))
        assert b"\r\nX-Forwarded-For: " + client + b"\r\n" in upstream.take_written()
        upstream.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await turns()
        assert bench.last_line.client == client.decode()


async def test_nobody_else_may() -> None:
    bench = ProxyBench(trusted_proxies=[ip_network("10.0.0.0/8")])
    fields = b"X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Forwarded-Proto: http\r\nX-Real-IP: 6.6.6.6\r\n"
    upstream = await bench.asked(bench.browser(), request(b"GET", b"/open/x", fields))
    sent = upstream.take_written()
    assert b"6.6.6.6" not in sent
    assert b"X-Forwarded-Proto: https\r\n" in sent


async def test_a_peer_without_an_address_has_no_name() -> None:
    bench = ProxyBench()
    upstream = await bench.asked(bench.browser(peername=None), request(b"GET", b"/open/x"))
    assert b"X-Forwarded-For: -\r\n" in upstream.take_written()
