"""What the gateway asks of the place where sessions are kept, and what every store must keep to.

The contract, tested by one suite against every store:

1. A value is opaque: stores neither open nor interpret what is sealed.
2. `update` replaces a record only if its version is the one the caller read; a record that has ended, expired or
   changed is left alone. Nothing but `create` brings a record into being, so a write in flight never undoes a logout.
3. `end` leaves a tombstone, which `read` returns, so that a late request can be told why; a tombstone is never
   updated, touched or replaced. A store without room for it ends the session all the same, and without a word.
4. `touch` extends the lifetime and changes nothing else, the version included: it never disturbs an update.
5. Lifetimes are real: what has outlived its lifetime is not returned, by any method.
6. `acquire` succeeds for exactly one owner at a time, on all instances together.
7. Trouble with the store raises `StoreUnavailable`, never "not found": an outage decides nothing about a session.
8. A caller that is cancelled while it waits takes nothing with it: not the connection, not another caller's answer.
9. Every ending of a live session is announced, in the step that ends it, to all who listen, on every instance. One
   that expires is not announced. Who listens is told whenever announcements may have been missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Literal, Protocol, get_args

import msgspec

from bff.errors import StoreUnavailable

EndReason = Literal["logout", "backchannel_logout", "grant_refused", "replaced", "subject_changed"]
"""Why a session was ended before its limits: here, at the provider, by `invalid_grant`, by a new login, by tokens of
another user where its own were due."""

END_REASONS: Final[tuple[EndReason, ...]] = get_args(EndReason)


class StoredSession(msgspec.Struct, frozen=True):
    """A sealed record as the store returned it; `touched_at` is in seconds since the epoch."""

    version: int
    touched_at: float
    sealed: bytes


class Tombstone(msgspec.Struct, frozen=True):
    """What is left of a session that was ended; `reason` is one of `END_REASONS`."""

    reason: str


class EndListener(Protocol):
    """Told of sessions that end, whichever instance ends them; nothing that it does may fail."""

    def session_ended(self, key: str, reason: str) -> None:
        """Take note that a session has ended; both words come from the store and are to be believed only so far."""
        ...

    def hearing(self) -> None:
        """From now on every ending is told; those before may have been missed."""
        ...

    def deaf(self, reason: str) -> None:
        """Until further notice endings may be missed; `reason` is the store's, as in `StoreUnavailable`."""
        ...


class Waiter(Protocol):
    """Who waits for a read: a future, or whoever goes on at once with what was found.

    One of the two `set_…` is called once, unless `done` says that nobody waits any more. What they raise is lost.
    """

    def done(self) -> bool:
        """Whether nobody waits any more."""
        ...

    def set_result(self, found: StoredSession | Tombstone | None, /) -> None:
        """Take what was found."""
        ...

    def set_exception(self, error: StoreUnavailable, /) -> None:
        """Take note that the store cannot be asked."""
        ...


class SessionStore(Protocol):
    """Sealed records, their indexes, and the small values and leases the gateway's instances share.

    Keys and names are ASCII strings chosen by the caller and unique per purpose; lifetimes are in seconds. Every
    method raises `bff.errors.StoreUnavailable` when the store cannot be asked.
    """

    def read(self, key: str) -> asyncio.Future[StoredSession | Tombstone | None]:
        """Return a future of the record; reads that arrive together share one round trip."""
        ...

    def read_for(self, key: str, waiter: Waiter) -> None:
        """Let the waiter have the record: the same without a future, for every proxied call waits for one."""
        ...

    async def create(
        self,
        key: str,
        sealed: bytes,
        *,
        touched_at: float,
        lifetime: float,
        indexes: Sequence[str],
        index_lifetime: float,
    ) -> None:
        """Write a new record with version 1 and list its key under every one of `indexes`."""
        ...

    async def update(self, key: str, sealed: bytes, *, version: int) -> bool:
        """Replace the sealed record and count its version up, if it still has `version`; keep its lifetime."""
        ...

    async def touch(self, key: str, *, touched_at: float, lifetime: float) -> bool:
        """Set when the session was last used and how long it lives from now; False if it is gone."""
        ...

    async def end(self, key: str, *, reason: str, lifetime: float) -> StoredSession | None:
        """Replace the record by a tombstone of that lifetime, and return it; None if there was no live record.

        It is returned as it was at that moment, so that whoever ends a session knows which tokens it had last. If the
        answer that said so was lost on the way and the store was asked again, it has version 0 and no content.
        """
        ...

    async def end_indexed(self, index: str, *, reason: str, lifetime: float) -> int:
        """End every session listed under the index, and forget the index; return how many were alive."""
        ...

    def listen(self, listener: EndListener) -> None:
        """Tell the listener of every ending until the store is closed; called once, with the event loop running."""
        ...

    async def put(self, name: str, value: bytes, *, lifetime: float) -> None:
        """Keep a small value, replacing what was there."""
        ...

    async def get(self, name: str) -> bytes | None:
        """Return a small value, a lease's owner included."""
        ...

    async def acquire(self, name: str, *, owner: str, lifetime: float) -> bool:
        """Take a lease; True also if `owner` has it already (an answer may have been lost), and it begins anew."""
        ...

    async def release(self, name: str, *, owner: str) -> None:
        """Give a lease back, if `owner` still has it."""
        ...

    async def ping(self) -> None:
        """Return if the store answers."""
        ...

    async def close(self) -> None:
        """Close connections; readers still waiting get `StoreUnavailable`."""
        ...
