"""The UserInfo endpoint's answer (OpenID Connect Core 1.0 section 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bff.errors import InvalidProviderAnswer, LoginFailed
from bff.oauth.provider_answer import is_json, parse_answer

MAX_SIZE = 128 * 1024

_KIND = "userinfo"
# They speak of the token, not of the user.
_PROTOCOL_CLAIMS = frozenset(
    {"iss", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "s_hash", "sid"}
)


def parse_userinfo(
    status: int, content_type: str | None, body: bytes, *, subject: str | None, retry_after: str | None = None
) -> dict[str, Any]:
    """Return the claims, which must be about `subject`, the ID token's (section 5.3.4); None where there is none.

    Raises `ProviderUnavailable`, `InvalidProviderAnswer`, also for a signed answer, and `LoginFailed` if the answer
    is about nobody or somebody else.
    """
    if status == 200 and not is_json(content_type):
        signed = content_type is not None and content_type.lower().startswith("application/jwt")
        raise InvalidProviderAnswer(f"{_KIND}.signed" if signed else f"{_KIND}.content_type")
    if status != 200 and status != 429 and status < 500:
        # A refusal says why in `WWW-Authenticate`; its body may be empty (section 5.3.3).
        raise InvalidProviderAnswer(f"{_KIND}.status")
    claims = parse_answer(_KIND, status, body, max_size=MAX_SIZE, retry_after=retry_after)
    if subject is not None and claims.get("sub") != subject:
        raise LoginFailed(f"{_KIND}.subject")
    return claims


def merge_claims(id_token_claims: Mapping[str, Any], userinfo: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of the user: the ID token's claims over UserInfo's, without the protocol's own."""
    merged = {**userinfo, **id_token_claims}
    return {name: value for name, value in merged.items() if name not in _PROTOCOL_CLAIMS}
