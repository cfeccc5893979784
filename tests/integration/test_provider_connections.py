"""Refreshes get through to the provider, whatever anybody can make the gateway do there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from bff.errors import ProviderBusy
from bff.oauth.authorization import new_transaction, parse_response, validate_authorization_response
from bff.oauth.return_to import parse_return_to
from bff.provider import Provider, open_pool
from bff.provider.shares import AUTHORIZATION_REQUESTS, CODES, REVOCATIONS
from bff.provider.tls import trusted_authorities
from tests.support.provider_settings import provider_settings
from tests.support.session_records import session_record

FLOOD = 150
LIMITS = {"login starts": AUTHORIZATION_REQUESTS, "codes": CODES, "revocations": REVOCATIONS}
ASKED_AS = {"login starts": "/par", "codes": "authorization_code", "revocations": "/revoke"}


class SlowProvider:
    """Answers for metadata and refreshes at once, and never to anything else; counts what it was asked."""

    def __init__(self) -> None:
        self.issuer = ""
        self.asked: Counter[str] = Counter()
        self.was_asked = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen on loopback."""
        writers: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await self._answer(reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=500)
        self.issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            for writer in writers:
                writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        form = parse_qs((await reader.readexactly(int(fields.get("content-length", 0)))).decode())
        path = head.split(" ")[1]
        kind = form.get("grant_type", [path])[0]
        self.asked[kind] += 1
        self.was_asked.set()
        if ".well-known" in path:
            document = self._metadata()
        elif kind == "refresh_token":
            document = {"access_token": "access-2", "token_type": "Bearer", "expires_in": 300}
        else:
            await reader.read()
            raise ConnectionResetError
        body = json.dumps(document).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)

    def _metadata(self) -> dict[str, Any]:
        paths = {"authorization": "authorize", "token": "token", "revocation": "revoke"}
        return {
            "issuer": self.issuer,
            "response_types_supported": ["code"],
            "pushed_authorization_request_endpoint": f"{self.issuer}/par",
            **{f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in paths.items()},
        }


@pytest.fixture
async def slow() -> AsyncIterator[SlowProvider]:
    slow = SlowProvider()
    async with slow.running():
        yield slow


@pytest.fixture
async def provider(slow: SlowProvider) -> AsyncIterator[Provider]:
    settings = provider_settings(issuer=slow.issuer, scopes="read offline_access")
    provider = Provider(
        settings, open_pool(trusted_authorities(None)), clock=time.time, random_bytes=secrets.token_bytes
    )
    yield provider
    await provider.close(0)


async def work(provider: Provider, slow: SlowProvider, kind: str) -> Coroutine[Any, Any, object]:
    """Return one piece of work of this kind, not begun."""
    transaction = new_transaction(
        state="state-1",
        issuer=slow.issuer,
        return_to=parse_return_to("/"),
        now=time.time(),
        random_bytes=secrets.token_bytes,
    )
    if kind == "login starts":
        return provider.login_url(transaction, {})
    if kind == "revocations":
        return provider.revoke("refresh-1", "refresh_token")
    metadata = await provider.metadata()
    answer = parse_response("code=code-1&state=state-1")
    return provider.redeem(
        validate_authorization_response(answer, transaction=transaction, metadata=metadata), transaction
    )


async def flood(provider: Provider, slow: SlowProvider, kinds: list[str], size: int) -> list[asyncio.Task[object]]:
    """Begin a lot of work, and return it once the provider was asked for as much as it ever will be."""
    tasks = [asyncio.create_task(await work(provider, slow, kind)) for kind in kinds for _ in range(size)]
    while any(slow.asked[ASKED_AS[kind]] < min(LIMITS[kind], size) for kind in kinds):
        slow.was_asked.clear()
        await slow.was_asked.wait()
    return tasks


async def end(tasks: list[asyncio.Task[object]]) -> None:
    """Give the work up."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.mark.parametrize("kinds", [[kind] for kind in LIMITS] + [list(LIMITS)], ids=" and ".join)
async def test_a_flood_leaves_connections_for_refreshes(
    slow: SlowProvider, provider: Provider, kinds: list[str]
) -> None:
    tasks = await flood(provider, slow, kinds, FLOOD)
    record = msgspec.structs.replace(session_record(), issuer=slow.issuer)
    refreshes = await asyncio.gather(*(provider.refresh(record) for _ in range(50)))
    assert {refreshed.tokens.access_token for refreshed in refreshes} == {"access-2"}
    assert {kind: slow.asked[ASKED_AS[kind]] for kind in kinds} == {kind: LIMITS[kind] for kind in kinds}
    await end(tasks)


@pytest.mark.parametrize("kind", ["login starts", "codes"])
async def test_a_browser_that_finds_no_place_is_told_so_while_others_wait_for_the_provider(
    slow: SlowProvider, provider: Provider, kind: str
) -> None:
    tasks = await flood(provider, slow, [kind], LIMITS[kind])
    with pytest.raises(ProviderBusy) as caught:
        await (await work(provider, slow, kind))
    assert caught.value.reason == "provider.busy"
    assert not any(task.done() for task in tasks)
    await end(tasks)


async def test_a_flood_of_login_starts_stops_no_login_that_comes_back(slow: SlowProvider, provider: Provider) -> None:
    tasks = await flood(provider, slow, ["login starts"], FLOOD)
    tasks += await flood(provider, slow, ["codes"], 1)
    await end(tasks)
