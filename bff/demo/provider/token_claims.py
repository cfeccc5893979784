"""The tokens the provider signs: access tokens, ID tokens, logout tokens."""

import base64
import hashlib
import secrets

from bff.demo.provider.grants import Grant
from bff.demo.provider.state import Provider

ACCESS_TOKEN_TYPE = "at+jwt"
ID_TOKEN_TYPE = "JWT"
LOGOUT_TOKEN_TYPE = "logout+jwt"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
ID_TOKEN_LIFETIME = 300
LOGOUT_TOKEN_LIFETIME = 120


def access_token(provider: Provider, grant: Grant, scope: tuple[str, ...], audience: str) -> str:
    """A JWT access token (RFC 9068) of the grant's user for one API."""
    token_id = secrets.token_urlsafe(12)
    provider.grants.note_access_token(token_id, grant)
    claims = _signed_now(provider, provider.policy.access_token_lifetime) | {
        "sub": grant.user.subject,
        "aud": audience,
        "client_id": grant.client_id,
        "scope": " ".join(scope),
        "jti": token_id,
        "auth_time": grant.auth_time,
        **({} if grant.acr is None else {"acr": grant.acr}),
        "roles": [grant.user.role],
        "name": grant.user.name,
    }
    return provider.keys.sign(claims, token_type=ACCESS_TOKEN_TYPE)


def client_access_token(provider: Provider, client_id: str, scope: tuple[str, ...], audience: str) -> str:
    """A JWT access token of the client's own (RFC 9068, section 2.2: `sub` is the client)."""
    claims = _signed_now(provider, provider.policy.access_token_lifetime) | {
        "sub": client_id,
        "aud": audience,
        "client_id": client_id,
        "scope": " ".join(scope),
        "jti": secrets.token_urlsafe(12),
        "roles": ["client"],
    }
    return provider.keys.sign(claims, token_type=ACCESS_TOKEN_TYPE)


def id_token(provider: Provider, grant: Grant, bearer: str, *, nonce: str | None) -> str:
    """An ID token (OpenID Connect Core 1.0, sections 2 and 3.1.3.6) beside the access token `bearer`."""
    claims = grant.user.claims(grant.scope) | _signed_now(provider, ID_TOKEN_LIFETIME)
    claims |= {
        "aud": grant.client_id,
        "sid": grant.session_id,
        "auth_time": grant.auth_time,
        "at_hash": left_half_hash(bearer),
        **({} if grant.acr is None else {"acr": grant.acr}),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    return provider.keys.sign(claims, token_type=ID_TOKEN_TYPE)


def logout_token(provider: Provider, client_id: str, subject: str | None, session_id: str | None) -> str:
    """A logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4)."""
    claims = _signed_now(provider, LOGOUT_TOKEN_LIFETIME) | {
        "aud": client_id,
        "jti": secrets.token_urlsafe(12),
        "events": {LOGOUT_EVENT: {}},
    }
    if subject is not None:
        claims["sub"] = subject
    if session_id is not None:
        claims["sid"] = session_id
    return provider.keys.sign(claims, token_type=LOGOUT_TOKEN_TYPE)


def left_half_hash(value: str) -> str:
    """The left half of the SHA-256 of `value` in base64url, as `at_hash` has it."""
    digest = hashlib.sha256(value.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def _signed_now(provider: Provider, lifetime: int) -> dict[str, object]:
    now = int(provider.clock())
    return {"iss": provider.issuer, "iat": now, "exp": now + lifetime}
