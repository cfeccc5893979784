"""What the provider's answers to a login and to a refresh come to, once everything in them is validated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bff.oauth.id_token import IdToken
from bff.oauth.token_response import TokenResponse
from bff.settings.token_target import TokenTarget


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Login:
    """A completed login; `subject` is empty for plain OAuth at a provider that does not say who logged in.

    `dpop_key` is the encoded key that its tokens were asked for with, None if no proof was sent.
    """

    issuer: str
    client_id: str
    subject: str
    scope: tuple[str, ...]
    tokens: TokenResponse
    id_token: IdToken | None
    claims: dict[str, Any]
    dpop_key: bytes | None = None


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class RefreshedTokens:
    """A refresh answered at `received_at`, in seconds since the epoch.

    `claims` are those of the refreshed ID token, if one came, without the protocol's own.
    If that was refused, `refusal` is the reason: nothing of the answer may be used, but the refresh token it was asked
    with may be spent. `target` is whom the access token was asked for, None for the login's own; if it is not the one
    asked for, or is not as it must be, `misfit` is the reason: it may not be used, the rest of the answer may.
    """

    tokens: TokenResponse
    received_at: float
    id_token: IdToken | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    refusal: str | None = None
    target: TokenTarget | None = None
    misfit: str | None = None


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class TargetToken:
    """An access token that was asked for by itself, received at `received_at`; `expires_in` in seconds, if told.

    `dpop_key` is the encoded key that it is bound to, None for a bearer token; `certificate` is when the certificate
    began that it may be bound to, None if to none.
    """

    value: str
    expires_in: float | None
    scope: tuple[str, ...]
    received_at: float
    dpop_key: bytes | None = None
    certificate: float | None = None
