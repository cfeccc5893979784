"""Raw bytes against the running proxy; the oracle is what a recording upstream saw.

Most cases bear the identifier that Http11Probe gives them, or one made of their name in http-desync-guardian. A case
says which requests the upstream must have seen: exactly those, well formed, or none. Of one that is `unfinished` it may
have seen a beginning; one that `waits` has no answer before the browser leaves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.corpus import cases, lines, octets
from tests.support.proxy_server import ProxyServer, RawClient, route_to, running_proxy, until
from tests.support.raw_http import Message
from tests.support.raw_upstream import RawUpstream

CASES = cases("raw_requests.txt")
LISTS = ["http11probe_ids.txt", "http_desync_guardian_ids.txt"]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
async def upstream() -> AsyncIterator[RawUpstream]:
    async with RawUpstream().running() as upstream:
        yield upstream


@pytest.fixture(scope="module")
async def proxy(upstream: RawUpstream) -> AsyncIterator[ProxyServer]:
    async with running_proxy(lambda: [route_to("/open", upstream.port, reads_session=False)]) as proxy:
        yield proxy


async def final_answer(client: RawClient, *, to_head: bool = False) -> Message | None:
    """Return the next answer that is no interim one."""
    while True:
        answer = await client.answer(to_head=to_head)
        if answer is None or answer.status >= 200:
            return answer


def seen(upstream: RawUpstream) -> list[tuple[bytes, bytes, bytes]]:
    return [(request.method, request.target, request.body) for request in upstream.requests]


def echoed(target: bytes, body: bytes = b"") -> bytes:
    return target + b"|-|" + body


def test_the_corpus_holds_hundreds_of_different_cases() -> None:
    assert len(CASES) > 400
    assert len({name for name, _, _ in CASES}) == len(CASES)


@pytest.mark.parametrize("name", LISTS)
def test_the_corpus_holds_every_case_of_others_lists(name: str) -> None:
    assert set(lines(name)) - {name for name, _, _ in CASES} == set()


@pytest.mark.parametrize("name, text, expected", CASES, ids=[name for name, _, _ in CASES])
async def test_the_upstream_sees_exactly_what_was_meant(
    name: str, text: str, expected: Any, proxy: ProxyServer, upstream: RawUpstream
) -> None:
    upstream.forget()
    meant = [] if isinstance(expected, str) else [tuple(map(octets, request)) for request in expected]
    async with proxy.connection() as client:
        await client.send(octets(text).replace(b"{H}", proxy.host))
        is_open = True
        for method, target, body in meant:
            answer = await final_answer(client, to_head=method == b"HEAD")
            assert answer is not None
            assert (answer.status, answer.body) == (200, b"" if method == b"HEAD" else echoed(target, body))
            is_open = b"close" not in answer.values("connection")
        if expected == "waits":
            await until(lambda: bool(proxy.context.fronts))
        else:
            await end_as_meant(client, proxy, meant, is_open=is_open)
    await proxy.settled()
    assert await proxy.exchange(proxy.request(b"GET", b"/open/poisoned")) is not None
    assert seen(upstream) == [*meant, (b"GET", b"/poisoned", b"")]
    assert all(isinstance(expected, str) and "ended" in fault for fault in upstream.faults), upstream.faults
    assert upstream.requests[-1].body == b""


FRAMING = [
    case for case in CASES if case[0].startswith(("SMUG-CL", "SMUG-TE", "SMUG-DUPLICATE", "COMP-HOST", "RFC9112-5"))
]


@pytest.mark.parametrize("name, text, expected", FRAMING, ids=[name for name, _, _ in FRAMING])
async def test_an_endpoint_sees_exactly_what_was_meant(
    name: str, text: str, expected: list[Any], proxy: ProxyServer
) -> None:
    async with proxy.connection() as client:
        await client.send(octets(text).replace(b"{H}", proxy.host).replace(b"/open/", b"/bff/"))
        for method, target, body in expected:
            answer = await final_answer(client, to_head=method == "HEAD")
            assert answer is not None
            echo = b"" if method == "HEAD" else octets(f"{method} /bff{target} {body}")
            assert (answer.status, answer.body) == (200, echo)
        if not expected:
            assert not await is_refused(client)
            assert await client.rest() == b""


async def end_as_meant(client: RawClient, proxy: ProxyServer, meant: list[Any], *, is_open: bool) -> None:
    """Check the refusal if nothing was meant, then that the connection is closed or good for one more request."""
    if not meant:
        is_open = await is_refused(client)
    if is_open:
        await ask_after(client, proxy, meant)
    else:
        assert await client.rest() == b""


async def is_refused(client: RawClient) -> bool:
    """Check that the next answer, if there is one, is a refusal; return whether the connection stays open."""
    answer = await final_answer(client)
    if answer is None:
        return False
    assert 400 <= answer.status < 500, answer
    return b"close" not in answer.values("connection")


async def ask_after(client: RawClient, proxy: ProxyServer, meant: list[Any]) -> None:
    """Send one more request: it is answered as itself, or refused with all that followed the ones that were meant."""
    await client.send(proxy.request(b"GET", b"/open/after"))
    answer = await final_answer(client)
    if answer is not None and answer.status == 200:
        assert answer.body == echoed(b"/after")
        meant.append((b"GET", b"/after", b""))
    elif answer is not None:
        assert answer.status == 400
        assert await client.rest() == b""
