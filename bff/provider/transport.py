"""HTTP to the authorization server: bounded in time and size, stateless, every failure one of our own errors.

Requests go straight to the connection pool. What a full HTTP client would add is not wanted here: no cookies kept
between users, no redirects followed with credentials, no proxy or `.netrc` taken from the environment, no URL logged.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

import httpx2

from bff.errors import InvalidProviderAnswer, ProviderBusy, ProviderUnavailable
from bff.provider.shares import MAX_CONNECTIONS

CONNECT_TIMEOUT = 3.0
PROVIDER_TIMEOUT = 10.0
"""Seconds from the start of a call to the last byte of its answer; leases are made to outlast it."""

MAX_ANSWER = 512 * 1024
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS

_IDLE_CONNECTION_LIFETIME = 2.0
_NONE: Mapping[str, str] = {}
_TIMEOUTS = httpx2.Timeout(PROVIDER_TIMEOUT, connect=CONNECT_TIMEOUT, pool=CONNECT_TIMEOUT).as_dict()


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """A complete answer; header fields are None where they were not sent."""

    status: int
    body: bytes
    content_type: str | None
    retry_after: str | None
    dpop_nonce: str | None = None
    challenges: tuple[bytes, ...] = ()


class ApplyAuthentication(Protocol):
    """Adds the client's authentication to the form or the headers of a request (RFC 6749 section 2.3)."""

    def __call__(self, form: dict[str, str], headers: dict[str, str]) -> None: ...


def open_pool(tls: ssl.SSLContext) -> httpx2.AsyncBaseTransport:
    """Return a connection pool."""
    # Idle connections are given up before common servers do it (Node: 5 s): a request that meets a closing connection
    # is lost without knowing whether its refresh token was spent.
    limits = httpx2.Limits(
        max_connections=MAX_CONNECTIONS,
        max_keepalive_connections=MAX_CONNECTIONS,
        keepalive_expiry=_IDLE_CONNECTION_LIFETIME,
    )
    return httpx2.AsyncHTTPTransport(verify=tls, trust_env=False, limits=limits)


class RenewablePool(httpx2.AsyncBaseTransport):
    """A pool that can be replaced by another whose connections begin anew; `open_pool` makes one."""

    def __init__(self, open_pool: Callable[[], httpx2.AsyncBaseTransport]) -> None:
        self._open_pool = open_pool
        self._pool = open_pool()
        self._former: list[httpx2.AsyncBaseTransport] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request on a connection of the present pool."""
        return await self._pool.handle_async_request(request)

    async def renew(self) -> None:
        """Use no connection that is open now for another request; what is under way there has until the next time."""
        former, self._former = self._former, [self._pool]
        self._pool = self._open_pool()
        for pool in former:
            await pool.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        for pool in (self._pool, *self._former):
            await pool.aclose()


class ProviderTransport:
    """Sends one request and reads one answer; raises `ProviderUnavailable` or `InvalidProviderAnswer`."""

    def __init__(self, pool: httpx2.AsyncBaseTransport) -> None:
        self._pool = pool

    async def get(self, url: str, *, accept: str, credentials: Mapping[str, str] = _NONE) -> Answer:
        """GET the URL; `credentials` are header fields with an access token."""
        return await self._send("GET", url, {"Accept": accept, **credentials}, None)

    async def post(
        self, url: str, form: Mapping[str, str | tuple[str, ...]], *, authenticate: ApplyAuthentication
    ) -> Answer:
        """POST the form as the client; `authenticate` says what belongs into form and headers besides."""
        fields: dict[str, str] = {}
        headers = {"Accept": "application/json"}
        authenticate(fields, headers)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return await self._send("POST", url, headers, urlencode({**form, **fields}, doseq=True).encode("ascii"))

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def _send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        headers |= {"User-Agent": "bff", "Accept-Encoding": "identity"}
        try:
            request = httpx2.Request(
                method, url, headers=headers, content=body, extensions={"timeout": dict(_TIMEOUTS)}
            )
        except (httpx2.InvalidURL, ValueError, TypeError):
            raise InvalidProviderAnswer("provider.url") from None
        try:
            async with asyncio.timeout(PROVIDER_TIMEOUT):
                return await self._exchange(request)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, TimeoutError, OSError) as error:
            failure = _failure(error)
        # Raised outside the handler: the foreign exception holds the request, and with it credentials.
        raise failure

    async def _exchange(self, request: httpx2.Request) -> Answer:
        response = await self._pool.handle_async_request(request)
        try:
            return Answer(
                response.status_code,
                await _read(response),
                response.headers.get("content-type"),
                response.headers.get("retry-after"),
                response.headers.get("dpop-nonce"),
                tuple(value for name, value in response.headers.raw if name.lower() == b"www-authenticate"),
            )
        finally:
            await response.aclose()


async def _read(response: httpx2.Response) -> bytes:
    """Return the body, unpacked if the provider packed it unasked, and never more of it than is allowed."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "deflate"):
        raise InvalidProviderAnswer("provider.content_encoding")
    unpacker = None if coding == "identity" else zlib.decompressobj(_GZIP_OR_ZLIB)
    body = bytearray()
    try:
        async for chunk in response.stream:  # type: ignore[union-attr]  # an async transport answers with an async stream
            body += chunk if unpacker is None else unpacker.decompress(chunk, MAX_ANSWER + 1)
            if len(body) > MAX_ANSWER:
                raise InvalidProviderAnswer("provider.too_large")
    except zlib.error:
        raise InvalidProviderAnswer("provider.content_encoding") from None
    return bytes(body)


def _failure(error: Exception) -> ProviderUnavailable | InvalidProviderAnswer:
    if isinstance(error, httpx2.ConnectError) and _is_certificate_failure(error):
        return ProviderUnavailable("provider.certificate")
    for family, kind, reason in _FAILURES:
        if isinstance(error, family):
            return kind(reason)
    return ProviderUnavailable("provider.network")


def _is_certificate_failure(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


_FAILURES: tuple[tuple[type[Exception], Callable[[str], ProviderUnavailable | InvalidProviderAnswer], str], ...] = (
    (httpx2.ConnectTimeout, ProviderUnavailable, "provider.connect_timeout"),
    (httpx2.PoolTimeout, ProviderBusy, "provider.busy"),
    (httpx2.TimeoutException, ProviderUnavailable, "provider.timeout"),
    (TimeoutError, ProviderUnavailable, "provider.timeout"),
    (httpx2.ConnectError, ProviderUnavailable, "provider.connect"),
    (httpx2.ProtocolError, ProviderUnavailable, "provider.protocol"),
    (httpx2.DecodingError, InvalidProviderAnswer, "provider.content_encoding"),
    (httpx2.InvalidURL, InvalidProviderAnswer, "provider.url"),
    (httpx2.UnsupportedProtocol, InvalidProviderAnswer, "provider.url"),
)
