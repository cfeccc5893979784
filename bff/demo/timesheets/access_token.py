"""Validation of JWT access tokens (RFC 9068, section 4) with the keys their issuer publishes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from bff.demo.timesheets.problems import ProblemError, invalid_token

ALGORITHMS = ("RS256",)
TOKEN_TYPES = ("at+jwt", "application/at+jwt")
CLOCK_TOLERANCE = 5.0
KEYS_LIFETIME = 300.0
KEYS_REFETCH_INTERVAL = 2.0
MAXIMUM_TOKEN = 8192


@dataclass(frozen=True)
class Caller:
    """Whoever a valid access token speaks for."""

    subject: str
    name: str
    scope: frozenset[str]
    roles: frozenset[str]
    claims: dict[str, Any]


class IssuerKeys:
    """The issuer's keys: fetched when needed, kept `KEYS_LIFETIME` seconds, refetched for an unknown kid."""

    def __init__(self, issuer: str, http: httpx2.AsyncClient, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._http = http
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: KeySet | None = None
        self._fetched_at = 0.0

    async def current(self, *, newer_than: KeySet | None = None) -> KeySet:
        """The keys; `newer_than` asks for a refetch unless one just happened. Raises `ProblemError`."""
        async with self._lock:
            age = self._clock() - self._fetched_at
            stale = self._keys is None or age >= KEYS_LIFETIME
            unknown = newer_than is not None and self._keys is newer_than and age >= KEYS_REFETCH_INTERVAL
            if stale or unknown:
                self._keys = await self._fetch()
                self._fetched_at = self._clock()
            assert self._keys is not None
            return self._keys

    async def _fetch(self) -> KeySet:
        try:
            location = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            metadata = (await self._http.get(location)).raise_for_status().json()
            if metadata["issuer"] != self._issuer:
                raise ValueError("The metadata is of another issuer.")
            published = (await self._http.get(metadata["jwks_uri"])).raise_for_status().json()
            return KeySet.import_key_set(published)
        except (httpx2.HTTPError, JoseError, ValueError, KeyError, TypeError) as fault:
            detail = "The issuer's keys cannot be read."
            raise ProblemError(503, "keys_unavailable", "Try again", detail, {"Retry-After": "2"}) from fault


class AccessTokenValidator:
    """Accepts access tokens of one issuer for one audience; `clock` gives seconds since the epoch."""

    def __init__(self, issuer: str, audience: str, keys: IssuerKeys, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._clock = clock

    async def validate(self, token: str) -> Caller:
        """Whoever `token` speaks for; raises `ProblemError`."""
        if len(token) > MAXIMUM_TOKEN:
            raise invalid_token("The token is too long.")
        decoded = await self._decode(token)
        if str(decoded.header.get("typ", "")).lower() not in TOKEN_TYPES:
            raise invalid_token("The token is not an access token.")
        claims = decoded.claims
        self._check_claims(claims)
        scope = claims.get("scope", "")
        roles = claims.get("roles", [])
        return Caller(
            subject=claims["sub"],
            name=str(claims.get("name", claims["sub"])),
            scope=frozenset(scope.split() if isinstance(scope, str) else ()),
            roles=frozenset(role for role in roles if isinstance(role, str))
            if isinstance(roles, list)
            else frozenset(),
            claims=claims,
        )

    async def _decode(self, token: str) -> jwt.Token:
        keys = await self._keys.current()
        try:
            return _verified(token, keys)
        except InvalidKeyIdError:
            newer = await self._keys.current(newer_than=keys)
        except (JoseError, ValueError, TypeError) as fault:
            raise invalid_token("The token's signature is not valid.") from fault
        try:
            return _verified(token, newer)
        except (JoseError, ValueError, TypeError) as fault:
            raise invalid_token("The token's key is unknown.") from fault

    def _check_claims(self, claims: dict[str, Any]) -> None:
        now = self._clock()
        audience = claims.get("aud")
        if claims.get("iss") != self._issuer:
            raise invalid_token("The token is of another issuer.")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise invalid_token("The token is for another audience.")
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise invalid_token("The token has no subject.")
        if _seconds(claims, "exp") <= now - CLOCK_TOLERANCE:
            raise invalid_token("The token has expired.")
        if "nbf" in claims and _seconds(claims, "nbf") > now + CLOCK_TOLERANCE:
            raise invalid_token("The token is not valid yet.")


def _verified(token: str, keys: KeySet) -> jwt.Token:
    return jwt.decode(token, keys, algorithms=list(ALGORITHMS))


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_token(f"The token's {name} is missing or not a number.")
    return value
