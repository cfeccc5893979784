"""The signed authorization response (JWT Secured Authorization Response Mode for OAuth 2.0, JARM)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bff.errors import LoginFailed
from bff.oauth.authorization_response import is_state, parse_response
from bff.oauth.base64url import decode
from bff.oauth.json_document import parse_object
from bff.oauth.jws import MAX_TOKEN_SIZE, InvalidToken, is_encrypted, verify_signature
from bff.oauth.keys import ProviderKeys
from bff.oauth.token_claims import check_audience, check_issuer, check_not_before, check_not_expired, required_time

_KIND: Final = "response"
_TYPES: Final = frozenset({"jwt", "oauth-authz-resp+jwt"})
# What a response says once must not be said a second time beside its signature.
_UNSIGNED: Final = frozenset({"code", "state", "error", "error_description", "error_uri"})


def signed_response(encoded: bytes | str) -> str:
    """Return the `response` parameter, not checked yet; raises `LoginFailed` for an answer that is not signed."""
    parameters = parse_response(encoded)
    if "response" not in parameters or not _UNSIGNED.isdisjoint(parameters):
        raise LoginFailed("callback.not_signed")
    return parameters["response"]


def signed_response_state(encoded: bytes | str) -> str | None:
    """Return the `state` a signed answer claims to have, None if there is none or the answer is malformed.

    It tells which transaction to open; nobody has verified the signature. Raises `InvalidToken` for an encrypted one,
    whose `state` nobody here can read.
    """
    try:
        token = signed_response(encoded)
    except LoginFailed:
        return None
    if is_encrypted(token):
        raise InvalidToken(f"{_KIND}.encrypted")
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        state = parse_object(decode(parts[1]), max_size=MAX_TOKEN_SIZE, may_repeat=True).get("state")
    except ValueError:
        return None
    return state if isinstance(state, str) and is_state(state) else None


def validate_signed_response(
    token: str,
    *,
    keys: ProviderKeys,
    algorithms: Sequence[str],
    issuer: str,
    client_id: str,
    now: float,
) -> dict[str, str]:
    """Return the parameters that the provider has signed for this client, its `iss` among them.

    Raises `InvalidToken`, `UnknownKey` if fresher keys may help (JARM section 2.4).
    """
    # Keycloak says `iss` twice, as a claim of every token and as a parameter of every response.
    claims = verify_signature(token, keys, algorithms, kind=_KIND, types=_TYPES, may_repeat=True).claims
    check_issuer(claims, issuer, _KIND)
    check_audience(claims, client_id, (), _KIND)
    check_not_expired(required_time(claims, "exp", _KIND), now, _KIND)
    check_not_before(claims, now, _KIND)
    for name in ("code", "state", "error"):
        if not isinstance(claims.get(name, ""), str):
            raise InvalidToken(f"{_KIND}.{name}")
    return {name: value for name, value in claims.items() if isinstance(value, str) and name != "aud"}
