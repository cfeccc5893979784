"""What a login, and later each refresh, leaves in the session record."""

from __future__ import annotations

from typing import Any

import msgspec

from bff.errors import LoginFailed
from bff.oauth.token_response import TokenResponse
from bff.provider import Login, RefreshedTokens, TargetToken
from bff.session.record import AccessToken, SessionRecord
from bff.settings.token_target import TokenTarget

ASSUMED_LIFETIME = 300.0
"""Seconds an access token is taken to live when the provider does not say and there is a refresh token."""


def record_from_login(login: Login, *, now: float, max_lifetime: float) -> SessionRecord:
    """Return the record of a login made at `now`; it lives `max_lifetime` seconds at most.

    It also ends with the provider's own `session_expiry`, and with the access token if nothing can renew that.
    Raises `LoginFailed` if the provider's limit has passed already.
    """
    tokens, id_token = login.tokens, login.id_token
    access_token = _access_token(tokens, tokens.refresh_token, login.scope, login.dpop_key, now)
    limits = [now + max_lifetime]
    if tokens.refresh_token is None and access_token.expires_at is not None:
        limits.append(access_token.expires_at)
    if id_token is not None:
        limits.extend(_session_expiry(id_token.claims))
    if min(limits) <= now:
        raise LoginFailed("login.expired")
    return SessionRecord(
        issuer=login.issuer,
        client_id=login.client_id,
        subject=login.subject,
        sid=id_token.sid if id_token else None,
        claims=login.claims,
        id_token=id_token.token if id_token else None,
        refresh_token=tokens.refresh_token,
        access_token=access_token,
        created_at=now,
        expires_at=min(limits),
        issued_at=id_token.issued_at if id_token else now,
        auth_time=id_token.auth_time if id_token else None,
        acr=id_token.acr if id_token else None,
        dpop_key=login.dpop_key,
    )


def record_after_refresh(
    record: SessionRecord, refreshed: RefreshedTokens, *, drops_targets: bool = False
) -> SessionRecord:
    """Return the record with the refreshed tokens in it and the refreshed ID token's claims over the old ones.

    The access token becomes that of the target it was asked for, or the login's own, unless it is a misfit. What
    the answer leaves out stays as it was: the refresh token, the scope (RFC 6749 sections 5.1 and 6). Of a refused
    answer nothing is taken but that it has spent the refresh token. With `drops_targets` the tokens for other APIs are
    to be had anew.
    """
    tokens, id_token, now = refreshed.tokens, refreshed.id_token, refreshed.received_at
    if refreshed.refusal is not None:
        return record_without_refresh(record)
    refresh_token = tokens.refresh_token or record.refresh_token
    target_tokens = {} if drops_targets else record.target_tokens
    changed = msgspec.structs.replace(record, refresh_token=refresh_token, target_tokens=target_tokens)
    scope = record.access_token.scope if tokens.scope is None else tokens.scope
    if refreshed.target is None and refreshed.misfit is None:
        access_token = _access_token(tokens, refresh_token, scope, record.dpop_key, now)
        changed = msgspec.structs.replace(changed, access_token=access_token, refreshed_at=now)
    elif refreshed.target is not None and refreshed.misfit is None:
        token = TargetToken(
            value=tokens.access_token,
            expires_in=tokens.expires_in,
            scope=scope,
            received_at=now,
            dpop_key=record.dpop_key if tokens.is_bound else None,
            certificate=tokens.certificate,
        )
        changed = record_with_target(changed, refreshed.target, token)
    if id_token is None:
        return changed
    return msgspec.structs.replace(changed, id_token=id_token.token, claims={**record.claims, **refreshed.claims})


def record_with_target(record: SessionRecord, target: TokenTarget, token: TargetToken) -> SessionRecord:
    """Return the record with the token for another API in it, and without those that have expired."""
    now = token.received_at
    kept = {name: held for name, held in record.target_tokens.items() if held.is_fresh(now, 0)}
    return msgspec.structs.replace(record, target_tokens={**kept, target.name: target_access_token(token)})


def target_access_token(token: TargetToken) -> AccessToken:
    """Return the token as it is kept: until it expires, however long it lives, for it can be had again."""
    expires_in = ASSUMED_LIFETIME if token.expires_in is None else token.expires_in
    return AccessToken(
        token.value,
        token.received_at + expires_in,
        token.scope,
        token.received_at,
        token.dpop_key,
        token.certificate,
    )


def record_without_refresh(record: SessionRecord) -> SessionRecord:
    """Return the record of a session whose refresh token is spent: it ends when its access token does."""
    expires_at = record.access_token.expires_at
    if expires_at is None:
        return msgspec.structs.replace(record, refresh_token=None)
    return msgspec.structs.replace(record, refresh_token=None, expires_at=min(record.expires_at, expires_at))


def _access_token(
    tokens: TokenResponse,
    refresh_token: str | None,
    scope: tuple[str, ...],
    dpop_key: bytes | None,
    now: float,
) -> AccessToken:
    expires_in = tokens.expires_in
    if expires_in is None and refresh_token is not None:
        expires_in = ASSUMED_LIFETIME
    return AccessToken(
        tokens.access_token,
        None if expires_in is None else now + expires_in,
        scope,
        dpop_key=dpop_key if tokens.is_bound else None,
        certificate=tokens.certificate,
    )


def _session_expiry(claims: dict[str, Any]) -> list[float]:
    """Return when the provider wants the session to end (OpenID Connect Enterprise Extensions), if it says so."""
    value = claims.get("session_expiry")
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []
