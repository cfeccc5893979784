"""Calls that stay open end with their session: event streams, long answers, WebSockets.

    a call still answering at a sweep ──► watched: its session is read once more, then
                                            at the latest when it would pass one of its limits, and every `RECHECK`
    an ending announced ───────────────► its calls end at once
    announcements may be missed ───────► every watched session is read, every `RECHECK_DEAF` until they are heard again

A call too short to be seen by a sweep costs nothing here. An open call is no use of its session: what nobody looks at
any more must not keep a session alive. A store that cannot be asked ends nothing but what is past its absolute limit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from bff.errors import NoSession, SessionExpired
from bff.proxy.state import State
from bff.session.endings import ended

if TYPE_CHECKING:
    from bff.errors import StoreUnavailable
    from bff.proxy.context import SessionReader
    from bff.proxy.exchange import Exchange
    from bff.session.store import StoredSession, Tombstone
    from bff.sessions import OnEvent

# Members of an enumeration are looked up slowly, and this is asked for thousands of calls at a time.
_ANSWERING, _ENDED = State.ANSWERING, State.ENDED

RECHECK: Final = 60.0
RECHECK_DEAF: Final = 1.0
MOST_READS: Final = 1024
"""Sessions read for one sweep at most: calls that come in the meantime wait behind them."""


class _Watched:
    """One session with the calls that are open under it; `due` is when to read it next, `read` while it is read."""

    __slots__ = ("calls", "due", "expires_at", "key", "read")

    def __init__(self, key: str, expires_at: float) -> None:
        self.key = key
        self.expires_at = expires_at
        self.due = 0.0
        self.read: _Read | None = None
        self.calls: list[Exchange] = []


class _Read:
    """A read of a session: a `bff.session.store.Waiter`."""

    __slots__ = ("_watch", "_watched")

    def __init__(self, watch: SessionWatch, watched: _Watched) -> None:
        self._watch = watch
        self._watched = watched

    def done(self) -> bool:
        """Whether it has been answered."""
        return self._watched.read is not self

    def set_result(self, found: StoredSession | Tombstone | None) -> None:
        """Take what was found."""
        self._watched.read = None
        self._watch.was_read(self._watched, found)

    def set_exception(self, _error: StoreUnavailable) -> None:
        """Ask again soon."""
        self._watched.read = None
        self._watch.was_not_read(self._watched)


class SessionWatch:
    """The sessions of all open calls of this process; `clock` tells seconds since the epoch."""

    def __init__(self, sessions: SessionReader, clock: Callable[[], float], on_event: OnEvent) -> None:
        self._sessions = sessions
        self._clock = clock
        self._on_event = on_event
        self._watched: dict[str, _Watched] = {}
        self._recheck = RECHECK

    def start(self) -> None:
        """Listen to what ends."""
        self._sessions.store.listen(self)

    def sweep(self, exchanges: Iterable[Exchange]) -> None:
        """Take in calls that have become long, and read the sessions that are due; called about twice a second."""
        for exchange in exchanges:
            session = exchange.session
            if session is not None and exchange.state is _ANSWERING:
                exchange.session = None
                watched = self._watched.get(session.key)
                if watched is None:
                    watched = self._watched[session.key] = _Watched(session.key, session.expires_at)
                watched.calls.append(exchange)
        now, reads = self._clock(), 0
        for watched in tuple(self._watched.values()):
            watched.calls = [call for call in watched.calls if call.state is not _ENDED]
            if not watched.calls:
                del self._watched[watched.key]
            elif now >= watched.expires_at:
                self._end(watched.key, SessionExpired("session.absolute_limit"))
            elif now >= watched.due and reads < MOST_READS and watched.read is None:
                reads += 1
                self._read(watched)

    def _read(self, watched: _Watched) -> None:
        watched.read = _Read(self, watched)
        self._sessions.store.read_for(watched.key, watched.read)

    def was_not_read(self, watched: _Watched) -> None:
        """Read it again soon: an outage of the store decides nothing about a session."""
        watched.due = self._clock() + RECHECK_DEAF

    def was_read(self, watched: _Watched, found: StoredSession | Tombstone | None) -> None:
        """End the calls of a session that is over."""
        now = self._clock()
        try:
            limit = self._sessions.lasts_until(found, watched.expires_at, now)
        except NoSession as error:
            self._end(watched.key, error)
        else:
            watched.due = min(limit, now + self._recheck)

    def _end(self, key: str, error: NoSession) -> None:
        watched = self._watched.pop(key, None)
        if watched is not None:
            for call in watched.calls:
                call.session_ended(error)

    # What the store says (`bff.session.store.EndListener`).

    def session_ended(self, key: str, reason: str) -> None:
        """End the calls of a session."""
        if key in self._watched:
            self._end(key, ended(reason))

    def hearing(self) -> None:
        """Read what may have ended unheard."""
        if self._recheck != RECHECK:
            self._on_event(logging.INFO, "store.endings_heard")
        self._recheck = RECHECK
        self._read_all_soon()

    def deaf(self, reason: str) -> None:
        """Ask instead of listening."""
        if self._recheck != RECHECK_DEAF:
            self._on_event(logging.WARNING, "store.endings_unheard", reason=reason)
        self._recheck = RECHECK_DEAF
        self._read_all_soon()

    def _read_all_soon(self) -> None:
        for watched in self._watched.values():
            watched.due = 0.0
            # An answer on its way may be older than what happened unheard.
            watched.read = None
