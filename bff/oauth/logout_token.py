"""The logout token of a back-channel logout (OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bff.oauth.jws import InvalidToken, verify_signature
from bff.oauth.keys import ProviderKeys
from bff.oauth.token_claims import (
    CLOCK_LEEWAY,
    check_audience,
    check_issued_at,
    check_issuer,
    check_not_before,
    check_not_expired,
    identifier_claim,
    required_time,
    time_claim,
)

EVENT = "http://schemas.openid.net/event/backchannel-logout"

# Providers are asked for at most two minutes (section 4). `exp` became mandatory only with errata set 1, so a token
# of an older provider has none: it is taken as if it had been issued for these two minutes.
DEFAULT_LIFETIME = 120.0
# However far away a token's `exp` is: logout tokens are posted at once, or again after a short outage.
MAX_AGE = 600.0

_KIND = "logout_token"
# The second says no more than that it is a JWT; Keycloak before 25 and authentik before 2025.12 have it (section 4.1).
_TYPES = frozenset({"logout+jwt", "jwt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutToken:
    """A valid order to end one session (`sid`), or all of a subject's; times are seconds since the epoch.

    At `expires_at` the token is refused whatever it says, leeway included: its `token_id` need not be kept longer.
    """

    issuer: str
    subject: str | None
    sid: str | None
    issued_at: float
    token_id: str
    expires_at: float


def validate_logout_token(
    token: str,
    *,
    keys: ProviderKeys,
    algorithms: Sequence[str],
    issuer: str,
    client_id: str,
    now: float,
) -> LogoutToken:
    """Return what the provider wants ended; raises `InvalidToken`, `UnknownKey` if fresher keys may help.

    Whether the `jti` was seen before is for the caller to find out (section 2.6).
    """
    claims = verify_signature(token, keys, algorithms, kind=_KIND, types=_TYPES).claims
    check_issuer(claims, issuer, _KIND)
    check_audience(claims, client_id, (), _KIND)
    issued_at = required_time(claims, "iat", _KIND)
    check_issued_at(issued_at, now, MAX_AGE, _KIND)
    said = time_claim(claims, "exp", _KIND)
    expires_at = min(issued_at + DEFAULT_LIFETIME if said is None else said, issued_at + MAX_AGE)
    check_not_expired(expires_at, now, _KIND)
    check_not_before(claims, now, _KIND)
    _check_event(claims)
    token_id = identifier_claim(claims, "jti", _KIND)
    if token_id is None:
        raise InvalidToken(f"{_KIND}.jti")
    subject, sid = identifier_claim(claims, "sub", _KIND), identifier_claim(claims, "sid", _KIND)
    if subject is None and sid is None:
        raise InvalidToken(f"{_KIND}.sub")
    return LogoutToken(
        issuer=issuer,
        subject=subject,
        sid=sid,
        issued_at=issued_at,
        token_id=token_id,
        expires_at=expires_at + CLOCK_LEEWAY,
    )


def _check_event(claims: dict[str, Any]) -> None:
    """Refuse what is not a logout token, above all an ID token, which has a nonce and no events (section 4.1)."""
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise InvalidToken(f"{_KIND}.events")
    if "nonce" in claims:
        raise InvalidToken(f"{_KIND}.nonce")
