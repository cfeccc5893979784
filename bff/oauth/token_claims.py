"""Checks of claims that ID tokens and logout tokens have in common (RFC 7519 section 4.1)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bff.oauth.jws import InvalidToken

# One minute covers the drift of machines that keep time at all; certification wants tokens refused that expired
# minutes ago, and every second here is a second that a stolen token lives longer.
CLOCK_LEEWAY = 60.0
_END_OF_TIME = 253_402_300_800  # the year 10000
_MAX_IDENTIFIER = 255


def check_issuer(claims: dict[str, Any], issuer: str, kind: str) -> None:
    """Refuse any `iss` but exactly this string."""
    value = claims.get("iss")
    if not isinstance(value, str) or value != issuer:
        raise InvalidToken(f"{kind}.issuer")


def check_audience(claims: dict[str, Any], client_id: str, trusted: Collection[str], kind: str) -> None:
    """Refuse a token that is not for `client_id`, or that is also for somebody who is not trusted.

    With more than one audience, `azp` must name this client; it must whenever it is there
    (OpenID Connect Core section 3.1.3.7, steps 3 to 5).
    """
    value = claims.get("aud")
    audiences = [value] if isinstance(value, str) else value
    if not isinstance(audiences, list) or not all(isinstance(audience, str) for audience in audiences):
        raise InvalidToken(f"{kind}.audience")
    if client_id not in audiences or not set(audiences) <= {client_id, *trusted}:
        raise InvalidToken(f"{kind}.audience")
    if claims.get("azp", None if len(audiences) > 1 else client_id) != client_id:
        raise InvalidToken(f"{kind}.authorized_party")


def time_claim(claims: dict[str, Any], name: str, kind: str) -> float | None:
    """Return a NumericDate in seconds since the epoch, None if absent; raises `InvalidToken` for anything else."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"{kind}.{name}")
    if not 0 <= value < _END_OF_TIME:
        raise InvalidToken(f"{kind}.{name}")
    return float(value)


def required_time(claims: dict[str, Any], name: str, kind: str) -> float:
    """Return a NumericDate that must be there."""
    value = time_claim(claims, name, kind)
    if value is None:
        raise InvalidToken(f"{kind}.{name}")
    return value


def check_not_before(claims: dict[str, Any], now: float, kind: str) -> None:
    """Refuse a token whose `nbf` has not come."""
    not_before = time_claim(claims, "nbf", kind)
    if not_before is not None and not_before > now + CLOCK_LEEWAY:
        raise InvalidToken(f"{kind}.nbf")


def check_not_expired(expires_at: float, now: float, kind: str) -> None:
    """Refuse a token whose `exp` has passed by the leeway or more."""
    if expires_at + CLOCK_LEEWAY <= now:
        raise InvalidToken(f"{kind}.expired")


def check_issued_at(issued_at: float, now: float, max_age: float | None, kind: str) -> None:
    """Refuse a token from the future, or one issued more than `max_age` seconds ago."""
    if issued_at > now + CLOCK_LEEWAY:
        raise InvalidToken(f"{kind}.iat")
    if max_age is not None and issued_at + max_age + CLOCK_LEEWAY < now:
        raise InvalidToken(f"{kind}.iat")


def identifier_claim(claims: dict[str, Any], name: str, kind: str) -> str | None:
    """Return an identifier such as `sub`, `sid` or `jti`, None if absent; 1 to 255 characters, none a control."""
    if name not in claims:
        return None
    value = claims[name]
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_IDENTIFIER or not value.isprintable():
        raise InvalidToken(f"{kind}.{name}")
    return value
