"""The authorization request as a signed object (RFC 9101; FAPI 2.0 Message Signing section 5.3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bff.oauth.signing_key import SigningKey, signed_by_one_of

LIFETIME: Final = 300
"""Seconds for which it may be used; it is used at once, so this is for clocks that differ."""

_TYPE: Final = "oauth-authz-req+jwt"
_NUMBERS: Final = frozenset({"max_age"})


def request_object(
    parameters: Mapping[str, str | tuple[str, ...]],
    *,
    keys: Sequence[SigningKey],
    algorithms: Sequence[str] | None,
    issuer: str,
    now: float,
) -> str:
    """Return the request for this issuer alone, signed with the first of `keys` that can.

    `algorithms` are those the provider lists for request objects, None if it lists nothing. Raises `ClientRefused` if
    none of the keys can sign with any of them.
    """
    issued_at = int(now)
    claims: dict[str, Any] = {
        # Numbers are numbers in it (RFC 9101 section 4).
        **{name: int(str(value)) if name in _NUMBERS else value for name, value in parameters.items()},
        "iss": parameters["client_id"],
        "aud": issuer,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + LIFETIME,
    }
    return signed_by_one_of(keys, claims, algorithms=algorithms, typ=_TYPE)
