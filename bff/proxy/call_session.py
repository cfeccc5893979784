"""What a call keeps of its session while it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from bff.sessions import Session


class CallSession(msgspec.Struct, frozen=True, gc=False):
    """Which session, until when at most, and what login it began with; a stream of hours holds no token in memory."""

    key: str
    expires_at: float
    acr: str | None
    auth_time: float | None

    @staticmethod
    def of(session: Session) -> CallSession:
        """Return what of the session is kept."""
        record = session.record
        return CallSession(session.key, record.expires_at, record.acr, record.auth_time)
