"""The ID token: who has logged in, says the provider (OpenID Connect Core 1.0 sections 2, 3.1.3.7 and 12.2)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from bff.oauth.base64url import encode
from bff.oauth.jws import InvalidToken, VerifiedToken, verify_signature
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

# The longest an authorization code should live (RFC 6749 section 4.1.2): no honest ID token of a login is older.
MAX_AGE_AT_LOGIN = 600.0

_KIND = "id_token"
_TYPES = frozenset({"jwt"})
_DIGESTS = {"256": hashlib.sha256, "384": hashlib.sha384, "512": hashlib.sha512}


class UnmetAuthentication(InvalidToken):
    """The login is real, but not of the kind or age that was asked for (OpenID Connect Core section 3.1.3.7)."""

    explanation = "The login did not reach the strength that was asked for."


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class IdToken:
    """A valid ID token: the text itself, and what it says; times are seconds since the epoch.

    `algorithm` is how the provider signs for this client, so its logout tokens must be signed the same way.
    """

    token: str
    algorithm: str
    issuer: str
    subject: str
    sid: str | None
    issued_at: float
    expires_at: float
    auth_time: float | None
    acr: str | None
    claims: dict[str, Any]


def validate_id_token(
    token: str,
    *,
    keys: ProviderKeys,
    algorithms: Sequence[str],
    issuer: str,
    client_id: str,
    nonce: str | None,
    now: float,
    access_token: str | None,
    max_age: int | None = None,
    asked_at: float | None = None,
    acr_values: Collection[str] = (),
    trusted_audiences: Collection[str] = (),
) -> IdToken:
    """Return the ID token of a login.

    `nonce` and `max_age` (seconds) are what the authorization request carried, None where it carried none; who has
    authenticated since `asked_at`, when it was made, is never too late. Of `acr_values` one must have been reached, if
    there are any; `access_token` came in the same answer. Raises `InvalidToken`, `UnknownKey` if fresher keys may help
    (OpenID Connect Core section 3.1.3.7).
    """
    verified = verify_signature(token, keys, algorithms, kind=_KIND, types=_TYPES)
    claims = verified.claims
    check_issuer(claims, issuer, _KIND)
    check_audience(claims, client_id, trusted_audiences, _KIND)
    if nonce is not None:
        _check_nonce(claims, nonce)
    id_token = _parse(token, verified, now, access_token)
    check_issued_at(id_token.issued_at, now, MAX_AGE_AT_LOGIN, _KIND)
    if max_age is not None:
        _check_authentication_age(id_token.auth_time, max_age, now, now if asked_at is None else asked_at)
    if acr_values and id_token.acr not in acr_values:
        raise UnmetAuthentication(f"{_KIND}.acr_unmet")
    return id_token


def validate_refreshed_id_token(
    token: str,
    *,
    keys: ProviderKeys,
    algorithms: Sequence[str],
    issuer: str,
    client_id: str,
    now: float,
    access_token: str | None,
    subject: str,
    auth_time: float | None,
    trusted_audiences: Collection[str] = (),
) -> IdToken:
    """Return the ID token that came with a refresh; it must speak of the same user and the same authentication.

    `subject` and `auth_time` are those of the login. A nonce is not expected and not compared. Raises `InvalidToken`,
    `UnknownKey` if fresher keys may help (OpenID Connect Core section 12.2).
    """
    verified = verify_signature(token, keys, algorithms, kind=_KIND, types=_TYPES)
    claims = verified.claims
    check_issuer(claims, issuer, _KIND)
    check_audience(claims, client_id, trusted_audiences, _KIND)
    id_token = _parse(token, verified, now, access_token)
    check_issued_at(id_token.issued_at, now, None, _KIND)
    if id_token.subject != subject:
        raise InvalidToken(f"{_KIND}.subject_changed")
    if auth_time is not None and id_token.auth_time is not None and id_token.auth_time != auth_time:
        raise InvalidToken(f"{_KIND}.auth_time_changed")
    return id_token


def _parse(token: str, verified: VerifiedToken, now: float, access_token: str | None) -> IdToken:
    claims = verified.claims
    subject = identifier_claim(claims, "sub", _KIND)
    if subject is None:
        raise InvalidToken(f"{_KIND}.sub")
    expires_at = required_time(claims, "exp", _KIND)
    check_not_expired(expires_at, now, _KIND)
    check_not_before(claims, now, _KIND)
    if "at_hash" in claims:
        _check_access_token_hash(claims["at_hash"], verified.algorithm, access_token)
    acr = claims.get("acr")
    if not (acr is None or isinstance(acr, str)):
        raise InvalidToken(f"{_KIND}.acr")
    return IdToken(
        token=token,
        algorithm=verified.algorithm,
        issuer=claims["iss"],
        subject=subject,
        sid=identifier_claim(claims, "sid", _KIND),
        issued_at=required_time(claims, "iat", _KIND),
        expires_at=expires_at,
        auth_time=time_claim(claims, "auth_time", _KIND),
        acr=acr,
        claims=claims,
    )


def _check_nonce(claims: dict[str, Any], nonce: str) -> None:
    value = claims.get("nonce")
    if not isinstance(value, str) or not hmac.compare_digest(value.encode(), nonce.encode()):
        raise InvalidToken(f"{_KIND}.nonce")


def _check_access_token_hash(at_hash: Any, algorithm: str, access_token: str | None) -> None:
    """Refuse an access token that the ID token was not issued with (OpenID Connect Core section 3.1.3.8)."""
    if access_token is None or not isinstance(at_hash, str):
        raise InvalidToken(f"{_KIND}.at_hash")
    # Ed25519 hashes with SHA-512 inside; of all other algorithms the name ends in the digest's size.
    digest = _DIGESTS.get(algorithm[-3:], hashlib.sha512)(access_token.encode()).digest()
    expected = encode(digest[: len(digest) // 2])
    if not hmac.compare_digest(at_hash.encode(), expected.encode()):
        raise InvalidToken(f"{_KIND}.at_hash")


def _check_authentication_age(auth_time: float | None, max_age: int, now: float, asked_at: float) -> None:
    earliest = min(now - max_age, asked_at) - CLOCK_LEEWAY
    if auth_time is None or not earliest <= auth_time <= now + CLOCK_LEEWAY:
        raise UnmetAuthentication(f"{_KIND}.auth_time")
