"""The provider as `bff check` examines it: the same requests as in operation, and what their answers give away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

from bff.errors import GatewayError, LoginFailed
from bff.oauth.authorization import new_transaction
from bff.oauth.base64url import encode
from bff.oauth.dpop import new_dpop_key
from bff.oauth.json_document import MalformedDocument, parse_object
from bff.oauth.keys import ProviderKeys
from bff.oauth.metadata import MAX_SIZE, ProviderMetadata, metadata_urls
from bff.oauth.return_to import parse_return_to
from bff.provider.answers import TargetToken
from bff.provider.client_authentication import ClientCredentials
from bff.provider.client_requests import ClientRequests
from bff.provider.proofs import Proofs
from bff.provider.provider import CALLBACK_PATH, Provider
from bff.provider.transport import ProviderTransport
from bff.settings import Settings
from bff.settings.token_target import TokenTarget

# What a login asks for is verified at its end, and this one has none.
_CHECKED: Final = frozenset({"max_age", "acr_values"})


class WatchedPool(httpx2.AsyncBaseTransport):
    """A connection pool that compares each answer's `Date` with this machine's clock."""

    def __init__(self, pool: httpx2.AsyncBaseTransport, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock
        self._shortest_way = float("inf")
        self.clock_offset: float | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass the request on."""
        sent_at = self._clock()
        response = await self._pool.handle_async_request(request)
        received_at = self._clock()
        told = _date(response.headers)
        if told is not None and 0 <= received_at - sent_at < self._shortest_way:
            self._shortest_way = received_at - sent_at
            # A date is cut to whole seconds: half a second was lost on average.
            self.clock_offset = told + 0.5 - (sent_at + received_at) / 2
        return response

    async def aclose(self) -> None:
        """Close the pool."""
        await self._pool.aclose()


class ProviderInspection:
    """Asks the provider what operation depends on.

    Unless said otherwise the methods raise `ProviderUnavailable`, `InvalidProviderAnswer` or `ClientRefused`.
    """

    def __init__(
        self,
        settings: Settings,
        pool: httpx2.AsyncBaseTransport,
        *,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._random_bytes = random_bytes
        self._pool = WatchedPool(pool, clock)
        self._provider = Provider(settings, self._pool, clock=clock, random_bytes=random_bytes)
        self._transport = ProviderTransport(self._pool)

    @property
    def clock_offset(self) -> float | None:
        """How many seconds the provider's clock is ahead of this machine's; None if it told no time."""
        return self._pool.clock_offset

    async def metadata(self) -> ProviderMetadata:
        """Return the metadata as the gateway reads them."""
        return await self._provider.metadata()

    async def keys(self) -> ProviderKeys:
        """Return the keys the provider signs with."""
        return await self._provider.keys()

    async def stated_issuer(self) -> str | None:
        """Return the issuer the metadata name, right or wrong; raises nothing."""
        for url in metadata_urls(self._settings.issuer, openid="openid" in self._settings.scopes):
            try:
                answer = await self._transport.get(url, accept="application/json")
                issuer = parse_object(answer.body, max_size=MAX_SIZE).get("issuer")
            except (GatewayError, MalformedDocument):
                continue
            if isinstance(issuer, str):
                return issuer
        return None

    async def try_client(self, metadata: ProviderMetadata) -> bool:
        """Present the client's credentials with a code nobody has issued (RFC 6749 section 4.1.3).

        Returns True if the provider accepted the client and refused the code, False if it gave tokens for it.
        """
        settings = self._settings
        proofs = Proofs(settings.dpop, clock=self._clock, random_bytes=self._random_bytes)
        requests = ClientRequests(
            self._transport,
            ClientCredentials(settings),
            clock=self._clock,
            random_bytes=self._random_bytes,
            resource=settings.resource,
            proofs=proofs,
        )
        try:
            await requests.redeem_code(
                metadata,
                code=encode(self._random_bytes(32)),
                code_verifier=encode(self._random_bytes(32)),
                redirect_uri=settings.public_url.url(CALLBACK_PATH),
                dpop_key=proofs.key(metadata, new_dpop_key(self._random_bytes).encoded),
            )
        except LoginFailed:
            return True
        return False

    async def try_client_token(self, target: TokenTarget) -> TargetToken:
        """Get a token of the client's own as for a call; it is used for nothing (RFC 6749 section 4.4)."""
        return await self._provider.targets.client_token(target)

    async def try_pushed_request(self) -> None:
        """Push a request as for a login, which nobody will use (RFC 9126); raises also `LoginFailed`."""
        transaction = new_transaction(
            state=encode(self._random_bytes(32)),
            issuer=self._settings.issuer,
            return_to=parse_return_to("/"),
            now=self._clock(),
            random_bytes=self._random_bytes,
            dpop_key=new_dpop_key(self._random_bytes).encoded,
        )
        always = dict(self._settings.authorization_params or ())
        await self._provider.login_url(transaction, {name: always[name] for name in always.keys() - _CHECKED})

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.shield(self._provider.close(0))


def _date(headers: httpx2.Headers) -> float | None:
    """Return the seconds since the epoch that an answer tells (RFC 9110 section 6.6.1), a cache's delay added."""
    try:
        moment = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    age = headers.get("age", "0")
    return moment + (int(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0)
