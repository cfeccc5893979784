from __future__ import annotations

import asyncio

import httpx2
import pytest

from bff.endpoints.health import MEMORY, STORE_TIMEOUT
from tests.support.asgi_call import Answer
from tests.support.gateway_browser import Site, running_site
from tests.support.virtual_time import clock


async def ready(site: Site) -> Answer:
    await asyncio.sleep(MEMORY)
    return await site.call("GET", "/readyz")


async def test_the_process_is_alive_whatever_else_is_not(site: Site) -> None:
    site.store.failing.add("*")
    answer = await site.call("GET", "/healthz")
    assert (answer.status, answer.json) == (200, {"status": "alive"})
    assert answer["cache-control"] == "no-store"


async def test_it_is_ready_with_provider_and_store(site: Site) -> None:
    answer = await ready(site)
    assert (answer.status, answer.json) == (200, {"status": "ready"})
    assert answer["cache-control"] == "no-store"


async def test_without_the_provider_it_says_why_it_is_not() -> None:
    async with running_site() as site:
        site.provider.overrides["/.well-known/openid-configuration"] = lambda _: httpx2.Response(503)
        answer = await ready(site)
        assert answer.status == 503
        assert answer.json == {"status": "not_ready", "reasons": {"provider": "metadata.status"}}
        site.provider.overrides.clear()
        await asyncio.sleep(60)
        assert (await ready(site)).status == 200


async def test_without_the_store_it_says_why_it_is_not(site: Site) -> None:
    await ready(site)
    site.store.failing.add("ping")
    answer = await ready(site)
    assert (answer.status, answer.json["reasons"]) == (503, {"store": "store.test"})
    site.store.failing.clear()
    assert (await ready(site)).status == 200


async def test_a_store_that_hangs_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang() -> None:
        await asyncio.sleep(100 * STORE_TIMEOUT)

    monkeypatch.setattr(site.store, "ping", hang, raising=False)
    assert (await ready(site)).json["reasons"] == {"store": "store.timeout"}


async def test_many_probes_wait_for_a_store_that_hangs_no_longer_than_one_does(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun_at: list[float] = []

    async def hang() -> None:
        begun_at.append(clock())
        await asyncio.sleep(100 * STORE_TIMEOUT)

    monkeypatch.setattr(site.store, "ping", hang, raising=False)
    before = clock()
    answers = await asyncio.gather(*(site.call("GET", "/readyz") for _ in range(20)))
    assert [answer.status for answer in answers] == [503] * 20
    assert begun_at == [before]
    assert clock() - before < 2 * STORE_TIMEOUT


async def test_many_probes_look_at_the_store_once(site: Site) -> None:
    await asyncio.sleep(1)
    site.store.calls.clear()
    await asyncio.gather(*(site.call("GET", "/readyz") for _ in range(20)))
    assert site.store.calls == ["ping"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_answer_get_and_head_and_need_no_cookie_and_no_origin(site: Site, path: str) -> None:
    await asyncio.sleep(1)
    fields = [("Cookie", "__Host-Http-bff=x"), ("Sec-Fetch-Site", "cross-site"), ("Host", "anything")]
    for method in ("GET", "HEAD"):
        answer = await site.call(method, path, fields)
        assert answer.status == 200
        assert answer.all("set-cookie") == []
    assert (await site.call("POST", path)).status == 405


@pytest.mark.parametrize("path", ["/healthz/", "/healthz/x", "/HEALTHZ", "/health%7a", "//healthz", "/readyz.json"])
async def test_probes_have_one_path_each(site: Site, path: str) -> None:
    answer = await site.call("GET", path, [("User-Agent", "kube-probe/1.30"), ("X-Forwarded-Uri", "/healthz")])
    assert answer.status == 404
