"""The session as a value: who is logged in, the tokens held for them, and every question about time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec


class AccessToken(msgspec.Struct, frozen=True):
    """An access token and what is known of it; `expires_at` is in seconds since the epoch, None if never said.

    `received_at` is noted of the tokens for other APIs; that of the login's is the session's own.
    `dpop_key` is the encoded key that it is bound to, None for a bearer token (RFC 9449 section 5). `certificate` is
    when the client's certificate began that it may be bound to, None if to none (RFC 8705 section 3).
    """

    value: str
    expires_at: float | None
    scope: tuple[str, ...]
    received_at: float | None = None
    dpop_key: bytes | None = None
    certificate: float | None = None

    def __repr__(self) -> str:
        return "AccessToken(…)"

    def is_fresh(self, now: float, margin: float) -> bool:
        """Whether the token will still be accepted `margin` seconds from now."""
        return self.expires_at is None or now + margin < self.expires_at

    def is_outdated(self, certificate: float | None) -> bool:
        """Whether it was bound to an older certificate than the one in use, which began at `certificate`.

        One of a newer certificate is not: another instance has that already, and this one will.
        """
        return self.certificate is not None and certificate is not None and self.certificate < certificate


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the gateway keeps about one login; times are seconds since the epoch.

    `claims` are the ID token's over UserInfo's, without the protocol's own; `sid` is the provider's session id.
    `target_tokens` are the access tokens for other APIs, by the name of their target.
    `dpop_key` is the encoded key that signs the session's proofs, whether or not its tokens came bound to it.
    """

    issuer: str
    client_id: str
    subject: str
    sid: str | None
    claims: dict[str, Any]
    id_token: str | None
    refresh_token: str | None
    access_token: AccessToken
    created_at: float
    expires_at: float
    issued_at: float
    auth_time: float | None = None
    acr: str | None = None
    refreshed_at: float | None = None
    target_tokens: dict[str, AccessToken] = {}
    dpop_key: bytes | None = None

    def __repr__(self) -> str:
        return "SessionRecord(…)"

    def has_expired(self, now: float) -> bool:
        """Whether the absolute limit has passed."""
        return now >= self.expires_at


_encoder = msgspec.msgpack.Encoder()


def encode_record(record: SessionRecord) -> bytes:
    """Return the record as MessagePack."""
    return _encoder.encode(record)


decode_record: Callable[[bytes], SessionRecord] = msgspec.msgpack.Decoder(SessionRecord).decode
"""Return the record; raises `msgspec.DecodeError` (or its subclass `ValidationError`) for anything else."""
