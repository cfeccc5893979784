"""The proxy on a real socket without the rest of the gateway: uvicorn, `Front`, sessions in memory, recorded tokens.

What is not proxied is answered by a small ASGI application, which echoes the request.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import uvicorn

from bff.errors import ProviderUnavailable
from bff.logins_under_way import ClaimedLogin
from bff.proxy.bound_token import UpstreamProofs
from bff.proxy.context import ProxiedRoute, ProxyContext
from bff.proxy.front import Front
from bff.proxy.pool import Origin
from bff.session.cookies import HANDLE_LENGTH, encode_handle
from bff.session.record import AccessToken
from bff.session.sealing import Sealer
from bff.sessions import Session, Sessions
from bff.settings import parse_public_url
from bff.settings.token_target import TokenTarget
from bff.stores.memory import MemoryStore
from tests.support.raw_http import Message, Stream, read_answer
from tests.support.session_records import session_record

COOKIE = "bff"
STANDARD_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})


async def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; for what nobody tells of."""
    for turn in itertools.count():
        if condition():
            return
        await asyncio.sleep(0 if turn < 100 else 0.005)


@dataclass
class Meter:
    """Keeps what was observed."""

    observed: list[tuple[int, float]] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    def observe(self, status: int, seconds: float) -> None:
        self.observed.append((status, seconds))

    def refused(self, code: str) -> None:
        self.refusals.append(code)


@dataclass(frozen=True)
class Line:
    """What the proxy wrote down of one call."""

    route: str
    method: str
    path: bytes
    status: int
    sent: int
    client: str
    code: str | None


@dataclass
class AccessLines:
    """Keeps the access lines."""

    lines: list[Line] = field(default_factory=list)

    def write(
        self,
        _request_id: str,
        route: str,
        method: str,
        path: bytes,
        status: int,
        sent: int,
        _duration_ms: float,
        _upstream_ms: float | None,
        client: str,
        code: str | None,
    ) -> None:
        assert isinstance(path, bytes)
        self.lines.append(Line(route, method, path, status, sent, client, code))


class RecordedTokens:
    """The token in the record, always taken for fresh."""

    def held(self, session: Session, _now: float, target: TokenTarget | None = None) -> AccessToken | None:
        return session.record.access_token

    async def access_token(self, session: Session, target: TokenTarget | None = None) -> tuple[Session, AccessToken]:
        return session, session.record.access_token


class NoClientTokens:
    """A gateway that has no token of its own."""

    def held(self, target: TokenTarget, now: float) -> AccessToken | None:
        return None

    async def access_token(self, target: TokenTarget) -> AccessToken:
        raise ProviderUnavailable("test.no_client_token")

    def distrust(self, target: TokenTarget) -> None:
        return None


def route_to(prefix: str, port: int, **changes: Any) -> ProxiedRoute:
    """Return a route to a port of this machine; by default it needs a session and has no upstream path."""
    route = ProxiedRoute(
        prefix=prefix,
        prefix_bytes=prefix.rstrip("/").encode(),
        origin=Origin("127.0.0.1", port, is_secure=False),
        base_url="http://upstream.example",
        host_line=b"Host: upstream.example\r\n",
        upstream_path=b"",
        methods=STANDARD_METHODS,
        reads_session=True,
        allows_anonymous=False,
        require_scope=frozenset(),
        cookie_names=frozenset(),
        timeout=30.0,
        max_body=1 << 30,
        meter=Meter(),
    )
    return replace(route, **changes)


@dataclass
class RawClient:
    """A connection to the proxy."""

    stream: Stream
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes; the proxy may have closed."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def answer(self, *, to_head: bool = False) -> Message | None:
        """Return the next answer, None if the connection was closed before one."""
        return await read_answer(self.stream, to_head=to_head)

    async def rest(self) -> bytes:
        """Return all that comes before the connection closes."""
        with contextlib.suppress(ConnectionError):
            return await self.stream.rest()
        return bytes(self.stream.buffer)

    def close(self) -> None:
        """Close at once, with a reset if anything is unread."""
        self.writer.transport.abort()


@dataclass
class ProxyServer:
    """The running proxy."""

    context: ProxyContext
    sessions: Sessions
    port: int
    server: uvicorn.Server
    log: AccessLines

    @property
    def host(self) -> bytes:
        """The Host field of requests to it."""
        return b"localhost:%d" % self.port

    async def sign_in(self, token: str) -> bytes:
        """Return the `Cookie` and cross-origin lines of a new session with that access token."""
        now = time.time()
        record = session_record(
            access_token=AccessToken(token, None, ()), created_at=now, issued_at=now, expires_at=now + 3600
        )
        login = ClaimedLogin("state", record.created_at, record.created_at, secrets.token_bytes(HANDLE_LENGTH))
        session = await self.sessions.start(record, login)
        cookie = f"{COOKIE}={encode_handle(session.handle)}".encode()
        return b"Cookie: %b\r\nSec-Fetch-Site: same-origin\r\n" % cookie

    def request(self, method: bytes, target: bytes, fields: bytes = b"", body: bytes = b"") -> bytes:
        """Return the bytes of a plain request."""
        length = b"Content-Length: %d\r\n" % len(body) if body else b""
        return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b\r\n%b" % (method, target, self.host, fields, length, body)

    async def connect(self) -> RawClient:
        """Open a connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        return RawClient(Stream(reader, keeps=False), writer)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[RawClient]:
        """Open a connection for a while."""
        client = await self.connect()
        try:
            yield client
        finally:
            client.close()

    async def exchange(self, data: bytes, *, to_head: bool = False) -> Message | None:
        """Send bytes on a new connection and return the answer to them."""
        async with self.connection() as client:
            await client.send(data)
            return await client.answer(to_head=to_head)

    async def settled(self) -> None:
        """Return when no call is open and no browser connected."""
        await until(lambda: not self.context.exchanges and not self.context.fronts)


def _unheard(level: int, name: str, **fields: str) -> None:
    pass


async def echo_application(scope: Any, receive: Any, send: Any) -> None:
    """Answer 200 with method, path and body of the request."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    content = b"%b %b %b" % (scope["method"].encode(), scope["raw_path"], body)
    fields = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": content})


@contextlib.asynccontextmanager
async def running_proxy(
    make_routes: Callable[[], list[ProxiedRoute]],
    *,
    application: Callable[[Any, Any, Any], Awaitable[None]] = echo_application,
    tls: ssl.SSLContext | None = None,
    mutual_tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ProxyServer]:
    """Run the proxy in this event loop, with the routes returned by `make_routes`."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        log = AccessLines()
        sessions = Sessions(
            MemoryStore(time.time),
            Sealer([b"k" * 32], b"c" * 32, random_bytes=secrets.token_bytes),
            idle=1800,
            max_lifetime=28800,
            clock=time.time,
            random_bytes=secrets.token_bytes,
            on_event=_unheard,
        )
        context = ProxyContext(
            routes=make_routes(),
            sessions=sessions,
            tokens=RecordedTokens(),
            client_tokens=NoClientTokens(),
            login_params=("acr_values", "max_age"),
            access_log=log,
            on_refusal=lambda error, request_id, route: None,
            on_event=_unheard,
            public_url=parse_public_url(f"http://localhost:{port}"),
            session_cookie=COOKIE,
            trusted_proxies=(),
            tls=tls,
            mutual_tls=mutual_tls,
            clock=time.time,
            proofs=UpstreamProofs(clock=time.time, random_bytes=secrets.token_bytes),
            request_id_prefix="test",
        )
        config = uvicorn.Config(
            application,
            http=functools.partial(Front, context),  # type: ignore[arg-type]
            ws="none",
            loop="none",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        context.start()
        try:
            await until(lambda: server.started)
            yield ProxyServer(context, sessions, port, server, log)
        finally:
            context.close()
            server.should_exit = True
            await serving
