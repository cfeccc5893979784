"""The whole gateway in one process: what holds for every answer, its start and its end."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from bff.app import create_app
from tests.support.gateway_browser import SESSION_COOKIE, Browser, Site, running_site
from tests.support.provider_double import ProviderDouble
from tests.support.provider_settings import provider_settings
from tests.support.virtual_time import clock, virtual_time

NAVIGATION = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
PATHS = [
    "/", "/bff/login", "/bff/login/resume", "/bff/callback", "/bff/session", "/bff/logout", "/bff/backchannel-logout",
    "/bff/nothing", "/healthz", "/readyz", "/nothing", "/api/x",
]  # fmt: skip


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running_site() as running:
        await asyncio.sleep(1)
        yield running


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_every_answer_has_identifier_and_security_headers(site: Site, path: str, method: str) -> None:
    answer = await site.call(method, path, NAVIGATION)
    assert re.fullmatch(r"[0-9a-f]{20}", answer["x-request-id"])
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["strict-transport-security"] == "max-age=31536000"
    assert "frame-ancestors 'none'" in answer["content-security-policy"]
    assert answer["referrer-policy"] == "no-referrer"
    assert answer["cache-control"] == "no-store"
    assert answer.get("server") is None
    assert answer.status < 500


async def test_the_application_is_served_with_a_policy_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<script>go()</script>")
    (tmp_path / "app-Bf3xC2kq.js").write_text("x")
    async with running_site(static_dir=str(tmp_path)) as site:
        index = await site.call("GET", "/timesheets", NAVIGATION)
        assert index.text == "<script>go()</script>"
        assert "script-src 'self' 'sha256-" in index["content-security-policy"]
        assert index["referrer-policy"] == "strict-origin-when-cross-origin"
        script = await site.call("GET", "/app-Bf3xC2kq.js", [("Cookie", f"{SESSION_COOKIE}=x")])
        assert "immutable" in script["cache-control"]
        assert script.all("set-cookie") == []
        assert (await site.call("GET", "/bff/nothing", NAVIGATION)).status == 404
        assert (await site.call("GET", "/api/x", NAVIGATION)).status == 404


@pytest.mark.parametrize("path", ["/bff/nothing", "/nothing", "/%2e%2e/x"])
async def test_nothing_is_a_page_for_a_person_and_problem_details_for_a_script(site: Site, path: str) -> None:
    page = await site.call("GET", path, NAVIGATION)
    assert (page.status, page["content-type"]) == (404, "text/html; charset=utf-8")
    problem = await site.call("GET", path)
    assert (problem.status, problem.json["code"]) == (404, "not_found")
    assert problem.json["request_id"] == problem["x-request-id"]


@pytest.mark.parametrize(
    "fields",
    [
        [("Host", "evil.example")],
        [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "http"), ("Forwarded", "host=evil.example")],
        [("X-Original-URL", "/evil"), ("X-Rewrite-URL", "/evil"), ("X-Forwarded-Prefix", "/evil")],
    ],
)
async def test_nothing_in_an_answer_comes_from_host_or_forwarding_fields(
    site: Site, fields: list[tuple[str, str]]
) -> None:
    login = await site.call("GET", "/bff/login", [*NAVIGATION, *fields])
    assert "evil" not in str([value for name, value in login.fields if name.lower() != "set-cookie"])
    assert "evil" not in login["set-cookie"].partition("=")[2].partition(";")[2]
    assert "redirect_uri=https%3A%2F%2Fapp.example.com%2Fbff%2Fcallback" in login["location"]
    assert "; Secure" in login["set-cookie"]


async def test_the_access_line_has_route_and_code_and_never_a_query(site: Site) -> None:
    await site.call("GET", "/bff/callback?code=secret-code&state=secret-state")
    await site.gateway.close()
    (line,) = [json.loads(text) for text in site.log.getvalue().splitlines()]
    assert line["route"] == "bff.callback"
    assert line["path"] == "/bff/callback"
    assert line["status"] == 400
    assert line["code"] == "login_failed"
    assert "secret" not in site.log.getvalue()


async def test_no_secret_of_a_whole_session_is_in_any_line_or_event(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    browser = site.browser()
    request = await browser.begin("?login_hint=ann")
    secrets = [request["state"], request["nonce"], request["code_challenge"]]
    secrets += [value for value, _ in browser.cookies.values()]
    await browser.finish(request)
    secrets += [value for value, _ in browser.cookies.values()]
    await browser.fetch("POST", "/bff/session/refresh")
    await browser.fetch("POST", "/bff/logout")
    await asyncio.sleep(5)
    secrets += [form.get("code_verifier", "access-") for form in site.provider.forms("/token")]
    secrets += site.provider.revoked
    written = site.log.getvalue() + caplog.text + str([vars(record) for record in caplog.records])
    assert site.log.getvalue()
    assert [secret for secret in secrets if secret in written] == []


async def test_requests_are_counted_by_route(site: Site) -> None:
    await site.call("GET", "/bff/session")
    await site.call("GET", "/nothing/that/could/be/a/label")
    names = {
        sample.labels["route"]
        for metric in site.gateway.metrics.collect()
        for sample in metric.samples
        if "route" in sample.labels
    }
    assert {"bff.session", "spa"} <= names
    assert not any("label" in name for name in names)


async def test_open_calls_are_counted_where_they_are(site: Site) -> None:
    assert site.gateway.metrics.open_exchanges() == 0


async def test_what_it_is_made_of_begins_and_ends_with_the_server() -> None:
    double = ProviderDouble(clock=clock)
    gateway = create_app(
        provider_settings(), clock=clock, random_bytes=lambda size: b"r" * size, provider_transport=double.transport
    )
    sent: asyncio.Queue[str] = asyncio.Queue()
    received: asyncio.Queue[Message] = asyncio.Queue()

    async def send(message: Any) -> None:
        await sent.put(message["type"])

    task = asyncio.create_task(gateway({"type": "lifespan"}, received.get, send))
    await received.put({"type": "lifespan.startup"})
    assert await sent.get() == "lifespan.startup.complete"
    await asyncio.sleep(1)
    assert gateway.provider.not_ready is None
    await received.put({"type": "lifespan.shutdown"})
    assert await sent.get() == "lifespan.shutdown.complete"
    await task


@pytest.mark.parametrize(("variables", "is_said"), [({}, True), ({"redis_url": "redis://127.0.0.1"}, False)])
async def test_that_sessions_are_lost_with_the_process_is_said_at_the_start(
    caplog: pytest.LogCaptureFixture, variables: dict[str, Any], is_said: bool
) -> None:
    async with running_site(secret_keys="k" * 43, **variables):
        assert ("store.memory_only" in caplog.text) is is_said


async def test_a_provider_that_is_down_stops_no_start() -> None:
    async with running_site(issuer="https://provider.example") as site:
        site.provider.metadata["issuer"] = "https://another.example"
        assert (await site.call("GET", "/healthz")).status == 200


async def test_a_websocket_is_no_request_of_ours(site: Site) -> None:
    async def unused(*_: object) -> Any:
        raise AssertionError

    await site.gateway({"type": "websocket"}, unused, unused)


async def test_revocations_under_way_are_waited_for_at_the_end() -> None:
    async with running_site() as site:
        browser = Browser(site)
        await browser.sign_in()
        site.provider.delay = 1
        await browser.fetch("POST", "/bff/logout")
    assert len(site.provider.revoked) == 2


def test_without_a_store_of_the_tests_the_settings_decide() -> None:
    gateway = create_app(provider_settings(), clock=lambda: 0.0, random_bytes=lambda size: b"r" * size)
    assert type(gateway.store).__name__ == "MemoryStore"
