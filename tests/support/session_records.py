"""Session records for tests."""

from __future__ import annotations

from typing import Any

from bff.session.record import AccessToken, SessionRecord

NOW = 1_800_000_000.0
ISSUER = "https://idp.example/realm"


def session_record(**changes: Any) -> SessionRecord:
    """Return a plausible record that lives for eight hours from `NOW`."""
    values: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": "spa",
        "subject": "248289761001",
        "sid": "08a5019c-17e1-4977-8f42-65a12843ea02",
        "claims": {"sub": "248289761001", "name": "Ann Ödegård", "email_verified": True},
        "id_token": "header.payload.signature",
        "refresh_token": "refresh-1",
        "access_token": AccessToken("access-1", NOW + 300, ("openid", "profile")),
        "created_at": NOW,
        "expires_at": NOW + 8 * 3600,
        "issued_at": NOW - 1,
    }
    return SessionRecord(**(values | changes))
