"""What is not proxied: a request handed on to uvicorn's ASGI cycle, and through it to the endpoints."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import unquote

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import HTTPScope

    from bff.proxy.incoming import Incoming


def asgi_cycle(
    protocol: HttpToolsProtocol, incoming: Incoming, path: bytes, query: bytes | None, *, keep_alive: bool
) -> RequestResponseCycle:
    """Return the cycle that will serve the request."""
    scope = _scope(protocol, incoming, path, query)
    return RequestResponseCycle(
        scope=scope,
        transport=protocol.transport,
        flow=protocol.flow,
        logger=protocol.logger,
        access_logger=protocol.access_logger,
        access_log=False,
        default_headers=protocol.server_state.default_headers,
        message_event=asyncio.Event(),
        expect_100_continue=incoming.version == "1.1" and (b"expect", b"100-continue") in scope["headers"],
        keep_alive=keep_alive,
        on_response=protocol.on_response_complete,
    )


def add_body(cycle: RequestResponseCycle, body: bytes) -> None:
    """Give a piece of the body to whoever serves the request, who may take his time."""
    cycle.body += body
    if len(cycle.body) > HIGH_WATER_LIMIT:
        cycle.flow.pause_reading()
    cycle.message_event.set()


def waits_for_body(cycle: RequestResponseCycle) -> bool:
    """Whether more of the request must come, and the browser is free to send it."""
    return cycle.more_body and not cycle.waiting_for_100_continue and not cycle.flow.read_paused


def is_remainder_small(cycle: RequestResponseCycle) -> bool:
    """Whether what may still come of an answered request is so little that reading it keeps the connection."""
    fields = dict(cycle.scope["headers"])
    length = fields.get(b"content-length", b"")
    return length.isdigit() and int(length) <= HIGH_WATER_LIMIT and b"expect" not in fields


def end_body(cycle: RequestResponseCycle) -> None:
    """Tell that the request has ended."""
    cycle.more_body = False
    cycle.message_event.set()


def _scope(protocol: HttpToolsProtocol, incoming: Incoming, path: bytes, query: bytes | None) -> HTTPScope:
    return {
        "type": "http",
        "asgi": {"version": protocol.asgi_version, "spec_version": "2.3"},
        "http_version": incoming.version,
        "server": protocol.server,
        "client": protocol.client,
        "scheme": protocol.scheme or "http",
        "method": incoming.method.decode("ascii"),
        "root_path": "",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query or b"",
        "headers": [(name.lower(), value) for name, value in incoming.fields],
        "state": protocol.app_state.copy(),
        "extensions": {},
    }
