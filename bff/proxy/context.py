"""What all proxied calls of a process share: routes with everything precomputed, and what is needed to serve them."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bff.errors import GatewayError
from bff.http.forwarded import Network
from bff.http.relocation import Relocation
from bff.http.routes import RouteTable
from bff.http.step_up import StepUp
from bff.proxy.bound_token import UpstreamProofs
from bff.proxy.client import Clients
from bff.proxy.open_sockets import OpenSockets
from bff.proxy.pool import Origin, Pool
from bff.proxy.session_watch import SessionWatch
from bff.proxy.turn import Turn
from bff.session.record import AccessToken
from bff.session.store import SessionStore, StoredSession, Tombstone
from bff.sessions import OnEvent, Session
from bff.settings import PublicUrl, Route, UpstreamUrl
from bff.settings.route import RESERVED_PREFIXES
from bff.settings.token_target import TokenTarget

if TYPE_CHECKING:
    from bff.proxy.exchange import Exchange
    from bff.proxy.front import Front

SWEEP_INTERVAL = 0.5


class Meter(Protocol):
    """Counts the calls of one route."""

    def observe(self, status: int, seconds: float) -> None:
        """Count one finished call."""
        ...

    def refused(self, code: str) -> None:
        """Count a call that was refused or broken off, by its error code."""
        ...


class OnRefusal(Protocol):
    """Told of every call that is refused or broken off."""

    def __call__(self, error: GatewayError, request_id: str, route: str) -> None:
        """Note why."""
        ...


class AccessLog(Protocol):
    """Writes one line for each call."""

    def write(
        self,
        request_id: str,
        route: str,
        method: str,
        path: bytes,
        status: int,
        sent: int,
        duration_ms: float,
        upstream_ms: float | None,
        client: str,
        code: str | None,
    ) -> None:
        """Write the line; `path` is without its query."""
        ...


class SessionReader(Protocol):
    """The part of `bff.sessions.Sessions` that a proxied call needs."""

    store: SessionStore

    @property
    def store_key(self) -> Callable[[bytes], str]:
        """The store's key for a handle."""
        ...

    def opened(self, handle: bytes, key: str, found: StoredSession | Tombstone | None, now: float) -> Session:
        """Return the session, or raise why there is none."""
        ...

    def touch_due(self, session: Session, now: float) -> bool:
        """Whether the idle limit should be extended now."""
        ...

    def touch_later(self, session: Session) -> None:
        """Extend the idle limit in the background."""
        ...

    def lasts_until(self, found: StoredSession | Tombstone | None, expires_at: float, now: float) -> float:
        """Return when a session that was opened before ends if it is not used, or raise why it has ended."""
        ...


class TokenSource(Protocol):
    """The part of `bff.tokens.Tokens` that a proxied call needs."""

    def held(self, session: Session, now: float, target: TokenTarget | None = None) -> AccessToken | None:
        """Return the session's access token if it is fresh."""
        ...

    async def access_token(self, session: Session, target: TokenTarget | None = None) -> tuple[Session, AccessToken]:
        """Return a fresh access token, refreshed if need be."""
        ...


class ClientTokenSource(Protocol):
    """The part of `bff.tokens.ClientTokens` that a proxied call needs."""

    def held(self, target: TokenTarget, now: float) -> AccessToken | None:
        """Return the gateway's own access token if it is alive."""
        ...

    async def access_token(self, target: TokenTarget) -> AccessToken:
        """Return one, asked for if need be."""
        ...

    def distrust(self, target: TokenTarget) -> None:
        """Get another for the next call: an API has refused this one."""
        ...


@dataclass(frozen=True, slots=True)
class ProxiedRoute:
    """A route with all that can be known before a request arrives.

    `user_target` is None where the login's own token goes along, `client_target` where the gateway's own never does.
    """

    prefix: str
    prefix_bytes: bytes
    origin: Origin
    base_url: str
    host_line: bytes
    upstream_path: bytes
    methods: frozenset[bytes]
    reads_session: bool
    allows_anonymous: bool
    require_scope: frozenset[str]
    cookie_names: frozenset[bytes]
    timeout: float
    max_body: int
    meter: Meter
    websocket: bool = False
    user_target: TokenTarget | None = None
    client_target: TokenTarget | None = None
    step_up: StepUp | None = None
    relocation: Relocation | None = None

    @property
    def is_personal(self) -> bool:
        """Whether answers are for whoever asked: a shared cache would hand them out without the check of origin."""
        return self.reads_session or self.client_target is not None

    @staticmethod
    def dev_server(upstream: UpstreamUrl, meter: Meter) -> ProxiedRoute:
        """Return the route of every path that is nobody else's, to a page's development server."""
        route = Route(prefix="/", upstream=upstream, token="none", websocket=True)  # noqa: S106 -- a policy's name
        return ProxiedRoute.of(route, meter)

    @staticmethod
    def of(route: Route, meter: Meter, *, shows_certificate: bool = False) -> ProxiedRoute:
        """Return the route as the proxy uses it; an upstream that gets tokens may be shown the client's certificate."""
        upstream = route.upstream
        return ProxiedRoute(
            prefix=route.prefix,
            prefix_bytes=route.prefix.rstrip("/").encode("ascii"),
            origin=Origin(
                upstream.hostname,
                upstream.port,
                upstream.scheme == "https",
                shows_certificate and route.token != "none",  # noqa: S105 -- a policy's name
            ),
            base_url=f"{upstream.scheme}://{upstream.host}",
            host_line=b"Host: %b\r\n" % upstream.host.encode("ascii"),
            upstream_path=upstream.path.encode("ascii"),
            methods=frozenset(method.encode("ascii") for method in route.methods),
            reads_session=route.token.startswith("user"),
            allows_anonymous=route.token in ("user-or-client", "user-or-none"),
            require_scope=frozenset(route.require_scope),
            cookie_names=frozenset(name.encode("ascii") for name in route.set_cookie),
            websocket=route.websocket,
            timeout=route.timeout,
            max_body=route.max_body,
            meter=meter,
            user_target=route.user_target,
            client_target=route.client_target,
            step_up=StepUp(route.acr_values, route.max_age) if route.demands_step_up else None,
            relocation=Relocation(
                host=upstream.host.encode("ascii"),
                path=upstream.path.encode("ascii"),
                prefix=route.prefix.rstrip("/").encode("ascii"),
            ),
        )


class ProxyContext:
    """The proxy's surroundings, made once per process; `now` is the event loop's time, exact to `SWEEP_INTERVAL`."""

    def __init__(
        self,
        *,
        routes: Sequence[ProxiedRoute],
        sessions: SessionReader,
        tokens: TokenSource,
        client_tokens: ClientTokenSource,
        login_params: Collection[str],
        access_log: AccessLog,
        on_refusal: OnRefusal,
        on_event: OnEvent,
        public_url: PublicUrl,
        session_cookie: str,
        trusted_proxies: Sequence[Network],
        tls: ssl.SSLContext | None,
        mutual_tls: ssl.SSLContext | None = None,
        clock: Callable[[], float],
        proofs: UpstreamProofs,
        request_id_prefix: str,
    ) -> None:
        self.routes = RouteTable(routes, reserved=RESERVED_PREFIXES)
        self.sessions = sessions
        self.tokens = tokens
        self.client_tokens = client_tokens
        self.login_params = frozenset(login_params)
        self.access_log = access_log
        self.on_refusal = on_refusal
        self.public_url = public_url
        self.public_origin = public_url.origin.encode("ascii")
        self.public_host = public_url.host.encode("ascii")
        self.session_cookie = session_cookie.encode("ascii")
        self.clients = Clients(public_url, trusted_proxies)
        self.clock = clock
        self.proofs = proofs
        self.turn = Turn()
        self.pool = Pool(tls, mutual_tls, self.turn)
        self.sockets = OpenSockets()
        self.watch = SessionWatch(sessions, clock, on_event)
        self.now = 0.0
        self.is_stopping = False
        self.fronts: set[Front] = set()
        self.exchanges: set[Exchange] = set()
        self._request_ids = itertools.count()
        self._request_id_prefix = request_id_prefix
        self._sweeper: asyncio.TimerHandle | None = None

    def new_request_id(self) -> str:
        """Return an identifier for a request, unique over processes by its random prefix."""
        return f"{self._request_id_prefix}{next(self._request_ids):08x}"

    def start(self) -> None:
        """Begin to enforce deadlines, one timer for all connections, and to listen to sessions that end."""
        self.turn.start()
        self.watch.start()
        self._sweep()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self.turn.catch_up()
        self.now = now = loop.time()
        for exchange in tuple(self.exchanges):
            exchange.sweep(now)
            if self.is_stopping:
                exchange.leave()
        self.watch.sweep(self.exchanges)
        # What is on its way to a browser is nothing that it has left unread.
        self.turn.leave()
        for front in tuple(self.fronts):
            front.sweep(now)
        self.pool.sweep(now)
        self._sweeper = loop.call_later(SWEEP_INTERVAL, self._sweep)

    def close(self) -> None:
        """Break off every call that is still open and close idle connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for exchange in tuple(self.exchanges):
            exchange.abort("shutdown")
        self.pool.close()
