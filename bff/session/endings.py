"""Sessions that are over, as the errors that say so."""

from __future__ import annotations

from typing import Final

from bff.errors import SessionEnded, SessionExpired
from bff.session.store import END_REASONS, StoredSession, Tombstone

_ENDED: Final[dict[str, str]] = {reason: f"session.ended.{reason}" for reason in END_REASONS}


def ended(reason: str) -> SessionEnded:
    """Return the error for a session that was ended; a reason that none of ours is told to nobody."""
    return SessionEnded(_ENDED.get(reason, "session.ended"))


def alive(found: StoredSession | Tombstone | None) -> StoredSession:
    """Return what was found if it is a session; raises `SessionEnded`, or `SessionExpired` if nothing is left."""
    if found is None:
        raise SessionExpired("session.not_found")
    if isinstance(found, Tombstone):
        raise ended(found.reason)
    return found
