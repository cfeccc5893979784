"""The proxy between fake transports: no sockets, no store, and every step is taken by the test."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from bff.errors import GatewayError, StoreUnavailable
from bff.proxy.back import Back
from bff.proxy.bound_token import UpstreamProofs
from bff.proxy.context import ProxiedRoute, ProxyContext
from bff.proxy.front import Front
from bff.proxy.pool import Origin, Pool
from bff.proxy.turn import AT_ONCE
from bff.session.cookies import decode_handle, encode_handle
from bff.session.endings import alive
from bff.session.record import AccessToken
from bff.session.store import EndListener, SessionStore, StoredSession, Tombstone, Waiter
from bff.sessions import Session
from bff.settings import parse_public_url
from bff.settings.token_target import TokenTarget
from tests.support.clock import Clock
from tests.support.fake_transports import FakeTransport, turns
from tests.support.proxy_server import COOKIE, AccessLines, Line, echo_application, route_to
from tests.support.session_records import session_record

HANDLE = encode_handle(b"h" * 32)
SIGNED_IN = b"Cookie: %b=%b\r\nSec-Fetch-Site: same-origin\r\n" % (COOKIE.encode(), HANDLE.encode())
TOKEN = AccessToken("token-1", None, ("openid", "read"))


class FakeStore:
    """Answers a read when, and as, the test says."""

    def __init__(self) -> None:
        self.reads: list[tuple[str, Waiter]] = []
        self.answers_at_once = True
        self.found: StoredSession | Tombstone | None = StoredSession(1, 0.0, b"sealed")
        self.failure: StoreUnavailable | None = None
        self.listeners: list[EndListener] = []

    def end(self, reason: str) -> None:
        """End the session of everybody, and say so."""
        self.found = Tombstone(reason)
        for listener in self.listeners:
            listener.session_ended(f"key-{(b'h' * 32).hex()}", reason)

    def listen(self, listener: EndListener) -> None:
        self.listeners.append(listener)
        listener.hearing()

    def read_for(self, key: str, waiter: Waiter) -> None:
        self.reads.append((key, waiter))
        if self.answers_at_once:
            self.answer()

    def answer(self) -> None:
        """Answer every read that waits."""
        for _, waiter in self.reads:
            if not waiter.done() and self.failure is not None:
                waiter.set_exception(self.failure)
            elif not waiter.done():
                waiter.set_result(self.found)


class FakeSessions:
    """Opens what was read, or raises what the test wants."""

    def __init__(self) -> None:
        self.fakes = FakeStore()
        self.store = cast("SessionStore", self.fakes)
        self.refusal: Exception | None = None
        self.record: dict[str, Any] = {}
        self.limit: float | None = None
        self.is_touch_due = False
        self.touched: list[Session] = []

    def store_key(self, handle: bytes) -> str:
        return f"key-{handle.hex()}"

    def opened(self, handle: bytes, key: str, found: StoredSession | Tombstone | None, _now: float) -> Session:
        assert key == self.store_key(handle)
        if self.refusal is not None:
            raise self.refusal
        assert isinstance(found, StoredSession)
        record = session_record(access_token=TOKEN, **self.record)
        return Session(handle, key, found.version, record, found.touched_at)

    def lasts_until(self, found: StoredSession | Tombstone | None, expires_at: float, _now: float) -> float:
        if self.refusal is not None:
            raise self.refusal
        alive(found)
        return expires_at if self.limit is None else self.limit

    def touch_due(self, _session: Session, _now: float) -> bool:
        return self.is_touch_due

    def touch_later(self, session: Session) -> None:
        self.touched.append(session)


class FakeTokens:
    """Holds a token, or makes the call wait for one."""

    def __init__(self) -> None:
        self.token: AccessToken | None = TOKEN
        self.renewed = AccessToken("token-2", None, ("openid", "read"))
        self.may_renew = asyncio.Event()
        self.refusal: Exception | None = None
        self.was_cancelled = False
        self.targets: list[TokenTarget | None] = []

    def held(self, _session: Session, _now: float, target: TokenTarget | None = None) -> AccessToken | None:
        self.targets.append(target)
        return self.token

    async def access_token(self, session: Session, target: TokenTarget | None = None) -> tuple[Session, AccessToken]:
        self.targets.append(target)
        try:
            await self.may_renew.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if self.refusal is not None:
            raise self.refusal
        return session, self.renewed


class FakeClientTokens:
    """Holds a token of the gateway's own, or makes the call wait for one."""

    def __init__(self) -> None:
        self.token: AccessToken | None = AccessToken("client-token-1", None, ("read",))
        self.may_obtain = asyncio.Event()
        self.may_obtain.set()
        self.distrusted: list[TokenTarget] = []
        self.obtained: AccessToken | Exception = AccessToken("client-token-2", None, ("read",))

    def held(self, target: TokenTarget, now: float) -> AccessToken | None:
        return self.token

    async def access_token(self, target: TokenTarget) -> AccessToken:
        await self.may_obtain.wait()
        if isinstance(self.obtained, Exception):
            raise self.obtained
        return self.obtained

    def distrust(self, target: TokenTarget) -> None:
        self.distrusted.append(target)


class FakePool(Pool):
    """Connections that a test opens, answers on and breaks."""

    def __init__(self) -> None:
        super().__init__(None)
        self.turn = AT_ONCE
        self.ends_turn = True
        self.backs: list[Back] = []
        self.transports: list[FakeTransport] = []
        self.may_connect = asyncio.Event()
        self.may_connect.set()
        self.failure: Exception | None = None
        self.is_lost_at_once = False

    async def connect(self, _origin: Origin) -> Back:
        await self.may_connect.wait()
        if self.failure is not None:
            raise self.failure
        back, transport = Back(self.turn), FakeTransport()
        transport.ends_turn = self.ends_turn
        transport.connect(back)
        self.backs.append(back)
        self.transports.append(transport)
        if self.is_lost_at_once:
            transport.lose()
        return back


@dataclass
class ProxyBench:
    """Everything around a `Front`, under a test's control; `ends_turn` is that of all transports."""

    routes: Sequence[ProxiedRoute] = field(
        default_factory=lambda: [route_to("/api", 1, upstream_path=b"/v1"), route_to("/open", 1, reads_session=False)]
    )
    trusted_proxies: Sequence[Any] = ()
    application: Any = echo_application
    sessions: FakeSessions = field(default_factory=FakeSessions)
    tokens: FakeTokens = field(default_factory=FakeTokens)
    client_tokens: FakeClientTokens = field(default_factory=FakeClientTokens)
    login_params: Sequence[str] = ("acr_values", "max_age")
    pool: FakePool = field(default_factory=FakePool)
    log: AccessLines = field(default_factory=AccessLines)
    refusals: list[str] = field(default_factory=list)
    events: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    ends_turn: bool = True

    def note_refusal(self, error: GatewayError, request_id: str, route: str) -> None:
        """Be told why a call was refused."""
        self.refusals.append(error.reason)

    def __post_init__(self) -> None:
        self.context = ProxyContext(
            routes=self.routes,
            sessions=self.sessions,
            tokens=self.tokens,
            client_tokens=self.client_tokens,
            login_params=self.login_params,
            access_log=self.log,
            on_refusal=self.note_refusal,
            on_event=lambda level, name, **fields: self.events.append((name, fields)),
            public_url=parse_public_url("https://app.example"),
            session_cookie=COOKIE,
            trusted_proxies=self.trusted_proxies,
            tls=None,
            clock=self.clock,
            proofs=UpstreamProofs(clock=self.clock, random_bytes=secrets.token_bytes),
            request_id_prefix="bench",
        )
        self.context.pool = self.pool
        self.pool.turn = self.context.turn
        self.pool.ends_turn = self.ends_turn
        self.config = uvicorn.Config(self.application, ws="none", lifespan="off", log_config=None, loop="none")
        self.config.load()
        self.server_state = ServerState()

    def browser(self, **transport: Any) -> FakeTransport:
        """Return the transport of a new connection from a browser."""
        self.context.turn.start()
        front = Front(self.context, self.config, self.server_state, {}, asyncio.get_running_loop())
        connection = FakeTransport(**transport)
        connection.ends_turn = self.ends_turn
        connection.connect(front)
        return connection

    def front_of(self, browser: FakeTransport) -> Front:
        """Return the front behind a browser's transport."""
        return cast("Front", browser.protocol)

    def sweep_at(self, now: float) -> None:
        """Let the sweep look at everything at that time."""
        self.context.turn.catch_up()
        self.context.now = now
        for exchange in tuple(self.context.exchanges):
            exchange.sweep(now)
            if self.context.is_stopping:
                exchange.leave()
        self.context.watch.sweep(self.context.exchanges)
        self.context.turn.leave()
        for front in tuple(self.context.fronts):
            front.sweep(now)
        self.pool.sweep(now)

    @property
    def last_line(self) -> Line:
        """The last access line."""
        return self.log.lines[-1]

    @property
    def is_at_rest(self) -> bool:
        """Whether no call is open."""
        return not self.context.exchanges

    async def asked(self, browser: FakeTransport, request: bytes, *, count: int = 1) -> FakeTransport:
        """Send a request and return the upstream's transport once the request is there."""
        browser.receive(request)
        await turns()
        assert len(self.pool.transports) == count
        return self.pool.transports[-1]


def request(
    method: bytes, target: bytes, fields: bytes = b"", body: bytes = b"", *, host: bytes = b"app.example"
) -> bytes:
    """Return the bytes of a plain request."""
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return b"%b %b HTTP/1.1\r\nHost: %b\r\n%b%b\r\n%b" % (method, target, host, fields, length, body)


def signed_in(method: bytes, target: bytes, fields: bytes = b"", body: bytes = b"") -> bytes:
    """Return the bytes of a request with a session."""
    return request(method, target, SIGNED_IN + fields, body)


assert decode_handle(HANDLE.encode()) == b"h" * 32
