"""The gateway of one process: all its parts, and how they start and end together."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from bff import __version__
from bff.endpoints.outcomes import Outcomes
from bff.endpoints.routing import Endpoint
from bff.errors import as_gateway_error
from bff.flights import finish
from bff.logs import AccessLog, event
from bff.provider import Provider
from bff.proxy.context import ProxyContext
from bff.renewal import CredentialRenewal
from bff.session.cookies import SessionCookies
from bff.session.sealing import Sealer
from bff.session.signing import StateSigner
from bff.session.store import SessionStore
from bff.sessions import Sessions
from bff.settings import Settings
from bff.telemetry import Metrics
from bff.tokens import ClientTokens, Tokens

Clock = Callable[[], float]
RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What endpoints and proxy are made from; one of each per process."""

    settings: Settings
    clock: Clock
    random_bytes: RandomBytes
    store: SessionStore
    sealer: Sealer
    states: StateSigner
    logout_states: StateSigner
    cookies: SessionCookies
    sessions: Sessions
    provider: Provider
    tokens: Tokens
    client_tokens: ClientTokens
    metrics: Metrics
    outcomes: Outcomes
    access_log: AccessLog
    tls: ssl.SSLContext
    mutual_tls: ssl.SSLContext


class Gateway:
    """One process: an ASGI application with its lifespan, and `proxy` for the routes that never reach it.

    `endpoints` is the route table of the former.
    """

    def __init__(
        self,
        parts: Parts,
        proxy: ProxyContext,
        endpoints: list[Endpoint],
        asgi: ASGIApp,
        renewal: CredentialRenewal,
    ) -> None:
        self.settings = parts.settings
        self.store = parts.store
        self.sessions = parts.sessions
        self.provider = parts.provider
        self.tokens = parts.tokens
        self.client_tokens = parts.client_tokens
        self.metrics = parts.metrics
        self.access_log = parts.access_log
        self.proxy = proxy
        self.endpoints = endpoints
        self.asgi = asgi
        self._clock = parts.clock
        self._renewal = renewal
        self._looking: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or start and stop with the server."""
        if scope["type"] == "http":
            await self.asgi(scope, receive, send)
        elif scope["type"] == "lifespan":
            await receive()
            try:
                self.start()
            except Exception as error:  # noqa: BLE001 -- said in our own words, not in the server's
                as_gateway_error(error)
                await send({"type": "lifespan.startup.failed"})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self.close()
            await send({"type": "lifespan.shutdown.complete"})

    def start(self) -> None:
        """Begin what runs in the background; nothing is waited for, so a provider that is down stops no start."""
        settings = self.settings
        store = "memory" if settings.redis_url is None else "redis"
        address = f"{settings.host}:{settings.port}"
        event(
            logging.INFO, "gateway.started", version=__version__, address=address, issuer=settings.issuer,
            store=store, count=len(settings.routes),
        )  # fmt: skip
        if settings.redis_url is None:
            event(logging.ERROR, "store.memory_only", variable="BFF_REDIS_URL")
        else:
            # Imported here for the reason that `bff.stores` has.
            from bff.stores.eviction import warn_of_eviction

            look = warn_of_eviction(settings.redis_url.reveal(), ca_file=settings.ca_file, clock=self._clock)
            self._looking.append(asyncio.create_task(look))
        if settings.credential_files or settings.client_cert is not None:
            self._looking.append(asyncio.create_task(self._renewal.run()))
        self.provider.start()
        self.proxy.start()

    async def close(self) -> None:
        """Close everything, first what needs the rest to finish its work."""
        event(logging.INFO, "gateway.stopping", count=len(self.proxy.exchanges))
        try:
            self.proxy.close()
            await finish(self._looking, 0)
            await self.client_tokens.close()
            await self.tokens.close()
            await self.sessions.settle()
            await self.provider.close()
            await self.store.close()
        finally:
            self.access_log.writer.flush()
