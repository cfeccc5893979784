"""Event streams and WebSockets as a page sees them: what passes, and what it is told when its session ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.browser.stack import Stack, sign_in
from tests.support.chromium import Profile
from tests.support.live_upstream import LiveUpstream, live_upstream
from tests.support.processes import GatewayServer

OPEN = """
window.told = [];
window.events = new EventSource("/events/all");
events.onmessage = (event) => told.push(`event ${event.data}`);
events.onerror = () => told.push(events.readyState === EventSource.CLOSED ? "stream over" : "stream interrupted");
window.socket = new WebSocket(`${location.origin.replace("http", "ws")}/live/socket`);
socket.onopen = () => socket.send("hello");
socket.onmessage = (event) => told.push(`message ${event.data}`);
socket.onclose = (event) => told.push(`closed ${event.code} ${event.reason} ${event.wasClean}`);
true
"""


@contextmanager
def in_a_thread() -> Iterator[LiveUpstream]:
    """An upstream with an event loop of its own, which answers every stream with one event."""
    ready: list[tuple[LiveUpstream, asyncio.AbstractEventLoop, asyncio.Event]] = []
    started = threading.Event()

    async def serve() -> None:
        async with live_upstream() as upstream:
            over = asyncio.Event()
            ready.append((upstream, asyncio.get_running_loop(), over))
            started.set()
            ending = asyncio.ensure_future(over.wait())
            while not over.is_set():
                stream = asyncio.ensure_future(upstream.streams.get())
                await asyncio.wait([ending, stream], return_when=asyncio.FIRST_COMPLETED)
                if stream.done():
                    await stream.result().send(b"first")
                else:
                    stream.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    started.wait()
    upstream, loop, over = ready[0]
    try:
        yield upstream
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


@pytest.fixture(scope="module")
def live_gateway(stack: Stack) -> Iterator[GatewayServer]:
    """A gateway with an event stream and a WebSocket behind it."""
    with in_a_thread() as upstream, stack.gateway(BFF_ROUTES=upstream.routes(prefix="/events")) as server:
        yield server


def test_a_page_hears_events_and_messages_and_is_told_when_its_session_ends(
    profile: Profile, live_gateway: GatewayServer
) -> None:
    page = profile.open()
    sign_in(page, live_gateway)
    assert page.evaluate(OPEN)
    page.eventually("['event first', 'message hello'].every((each) => told.includes(each))", "event and message")
    page.evaluate("fetch('/bff/logout', {method: 'POST', headers: {Accept: 'application/json'}}).then(() => true)")
    # The socket is told why, and cleanly; the stream connects again by itself, is refused, and gives up.
    page.eventually("told.includes('closed 1008 session_ended true')", "the end of the socket")
    page.eventually("told.includes('stream over')", "the end of the stream")
    assert page.evaluate("told.filter((each) => each.startsWith('event')).length") == 1
    complaints = "\n".join(page.seen.complaints)
    assert "ERR_INCOMPLETE_CHUNKED_ENCODING" in complaints, "half an answer must not look like a whole one"
    assert "401" in complaints
    page.seen.complaints.clear()
