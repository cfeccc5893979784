"""The use cases of a session: start, resume, extend, change, end; all that is known of it between two requests.

    browser's cookie ── handle ──┬── store key ──> the store: version, last use, sealed record
                                 └── opens the sealed record (`bff.session.sealing`)

Two limits end a session by themselves: the idle limit, counted from the last use, and the absolute one, written in the
record. The store forgets a record at the earlier of the two; `opened` checks both all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import msgspec

from bff.errors import SessionEnded, SessionExpired, StoreUnavailable
from bff.logins_under_way import (
    ClaimedLogin,
    claim_state,
    claimed_for,
    drop_login,
    mark_logout,
    was_dropped,
    was_logged_out,
)
from bff.session.cookies import HANDLE_LENGTH
from bff.session.endings import alive, ended
from bff.session.names import identities, index_name, token_id_name
from bff.session.record import SessionRecord
from bff.session.sealing import SealBroken, Sealer
from bff.session.store import EndReason, SessionStore, StoredSession, Tombstone

TOMBSTONE_LIFETIME: Final = 3600.0
"""Seconds for which a late request is told that the session was ended, not that it expired."""

TOUCH_INTERVAL: Final = 60.0
_PENDING: Final = "pending"
_DONE: Final = b"done"


class OnEvent(Protocol):
    """Where events go: `bff.logs.event`."""

    def __call__(self, level: int, name: str, **fields: str) -> None:
        """Note the event."""
        ...


class Session(msgspec.Struct, frozen=True):
    """A session that was found, opened and is within its limits; `touched_at` is in seconds since the epoch.

    `is_sealed_currently` is False if an older secret key sealed the record.
    """

    handle: bytes
    key: str
    version: int
    record: SessionRecord
    touched_at: float
    is_sealed_currently: bool = True

    def __repr__(self) -> str:
        return f"Session(key={self.key!r}, …)"

    def idle_expires_at(self, idle: float) -> float:
        """Return when the session ends if it is not used again, at the absolute limit at the latest."""
        return min(self.touched_at + idle, self.record.expires_at)


class Sessions:
    """Starts, finds, changes and ends sessions; `idle` and `max_lifetime` are in seconds.

    `on_end` is told why sessions ended, and how many.
    """

    def __init__(
        self,
        store: SessionStore,
        sealer: Sealer,
        *,
        idle: float,
        max_lifetime: float,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        on_event: OnEvent,
        on_end: Callable[[EndReason, int], None] = lambda reason, count: None,
    ) -> None:
        self.store = store
        self.idle = idle
        self.max_lifetime = max_lifetime
        self._sealer = sealer
        self._clock = clock
        self._random_bytes = random_bytes
        self._on_event = on_event
        self._on_end = on_end
        self._tombstone_lifetime = min(TOMBSTONE_LIFETIME, max_lifetime)
        self._touch_interval = min(TOUCH_INTERVAL, idle / 10)
        self._touching: dict[str, asyncio.Task[None]] = {}
        self.store_key = sealer.store_key

    # --- finding one: no await, nothing allocated but the session itself ---

    def opened(self, handle: bytes, key: str, found: StoredSession | Tombstone | None, now: float) -> Session:
        """Return the session in what was read; raises `SessionEnded`, or `SessionExpired` if there is none left."""
        found = found if isinstance(found, StoredSession) else alive(found)
        try:
            record = self._sealer.open(found.sealed, handle, key)
        except SealBroken as broken:
            self._on_event(logging.WARNING, "session.unsealable", reason=broken.reason)
            raise SessionExpired("session.unsealable") from None
        if now >= record.expires_at:
            raise SessionExpired("session.absolute_limit")
        if now >= found.touched_at + self.idle:
            raise SessionExpired("session.idle_limit")
        return Session(handle, key, found.version, record, found.touched_at, self._sealer.is_current(found.sealed))

    def lasts_until(self, found: StoredSession | Tombstone | None, expires_at: float, now: float) -> float:
        """Return when a session opened before, whose record says `expires_at`, ends if not used; raises as `opened`."""
        limit = min(alive(found).touched_at + self.idle, expires_at)
        if now >= limit:
            raise SessionExpired("session.absolute_limit" if now >= expires_at else "session.idle_limit")
        return limit

    async def resume(self, handle: bytes) -> Session:
        """Return the session of the handle; raises as `opened`, and `StoreUnavailable`."""
        key = self.store_key(handle)
        return self.opened(handle, key, await self.store.read(key), self._clock())

    # --- start and change ---

    async def claim_login(self, state: str, started_at: float) -> ClaimedLogin | None:
        """Use up the `state` of a login for a session to be; None if it was used before, here or elsewhere.

        `started_at` is when the browser was sent to the provider, in seconds since the epoch.
        """
        login = ClaimedLogin(state, started_at, self._clock(), self._random_bytes(HANDLE_LENGTH))
        is_unused = await claim_state(self.store, state, self.store_key(login.handle))
        return login if is_unused else None

    async def start(self, record: SessionRecord, login: ClaimedLogin, *, previous: Iterable[str] = ()) -> Session:
        """Write the login's session, then end the `previous` ones (store keys).

        Raises `SessionEnded` if the user logged out while the login was under way, here or at the provider (OpenID
        Connect Back-Channel Logout 1.0), and `SessionExpired` if the record is past its limit.
        """
        now = self._clock()
        if record.has_expired(now):
            raise SessionExpired("session.absolute_limit")
        handle, key = login.handle, self.store_key(login.handle)
        await self.store.create(
            key,
            self._sealer.seal(record, handle, key),
            touched_at=now,
            lifetime=self._lifetime(record, now),
            indexes=[index_name(record.issuer, identity) for identity in identities(record)],
            index_lifetime=record.expires_at - now,
        )
        if await was_dropped(self.store, login.state):
            raise await self._undone(key, "logout")
        if await was_logged_out(self.store, record, login):
            raise await self._undone(key, "backchannel_logout")
        for previous_key in previous:
            await self.end(previous_key, "replaced")
        return Session(handle, key, 1, record, now)

    async def _undone(self, key: str, reason: EndReason) -> SessionEnded:
        # Nobody has seen it, so it does not count as one that ended.
        await self.store.end(key, reason=reason, lifetime=self._tombstone_lifetime)
        return ended(reason)

    async def replace(self, session: Session, record: SessionRecord) -> Session | None:
        """Write the changed record; None if the session has ended, or was changed by another, in the meantime."""
        sealed = self._sealer.seal(record, session.handle, session.key)
        if not await self.store.update(session.key, sealed, version=session.version):
            return None
        return msgspec.structs.replace(session, version=session.version + 1, record=record, is_sealed_currently=True)

    async def extend(self, session: Session) -> Session:
        """Count the idle limit from now; raises as `resume` if the session has ended in the meantime."""
        now = self._clock()
        lifetime = self._lifetime(session.record, now)
        if not await self.store.touch(session.key, touched_at=now, lifetime=lifetime):
            return await self.resume(session.handle)
        return msgspec.structs.replace(session, touched_at=now)

    # --- in the background, at most once a minute ---

    def touch_due(self, session: Session, now: float) -> bool:
        """Whether the last use was noted long enough ago to note it again (or the seal is of an older key)."""
        return now - session.touched_at >= self._touch_interval or not session.is_sealed_currently

    def touch_later(self, session: Session) -> None:
        """Note this use of the session, and seal it with the newest key, without keeping anyone waiting.

        One task per session at most; its failures become events and nothing else.
        """
        if session.key not in self._touching:
            task = asyncio.get_running_loop().create_task(self._touch(session))
            self._touching[session.key] = task

    async def _touch(self, session: Session) -> None:
        now = self._clock()
        try:
            lifetime = self._lifetime(session.record, now)
            if lifetime > 0:
                await self.store.touch(session.key, touched_at=now, lifetime=lifetime)
            if not session.is_sealed_currently:
                await self.replace(session, session.record)
        except StoreUnavailable as error:
            self._on_event(logging.WARNING, "session.touch_failed", reason=error.reason)
        finally:
            del self._touching[session.key]

    async def settle(self) -> None:
        """Wait for what runs in the background: before the store is closed."""
        while self._touching:
            await asyncio.wait(list(self._touching.values()))

    # --- end ---

    async def end(self, session_key: str, reason: EndReason) -> bool:
        """End the session of this store key; True if it was alive."""
        return await self._end(session_key, reason) is not None

    async def end_presented(self, handle: bytes, reason: EndReason) -> SessionRecord | None:
        """End the session of the handle and return what it held last; None if it was not alive or cannot be opened.

        A refresh may have changed the tokens since the caller read them: these are the ones to revoke.
        """
        key = self.store_key(handle)
        ended = await self._end(key, reason)
        if ended is None:
            return None
        try:
            return self._sealer.open(ended.sealed, handle, key)
        except SealBroken:
            return None

    async def _end(self, session_key: str, reason: EndReason) -> StoredSession | None:
        ended = await self.store.end(session_key, reason=reason, lifetime=self._tombstone_lifetime)
        if ended is not None:
            self._on_end(reason, 1)
        return ended

    async def drop_login(self, state: str) -> bool:
        """Let a login under way come to nothing; True if its session was there already and has ended.

        The browser sent its logout before it had that session's cookie: it means whoever would be logged in.
        """
        await drop_login(self.store, state)
        key = await claimed_for(self.store, state)
        return key is not None and await self.end(key, "logout")

    async def end_by_provider(self, issuer: str, sid: str | None, subject: str | None, issued_at: float) -> int:
        """End what the provider logged out: the sessions of `sid` if given, else all of `subject`; return how many.

        `issued_at` is the logout token's `iat`. Logins under way end as well: see `was_logged_out`. Raises
        `StoreUnavailable` also if the sessions have ended but such a login could not be forestalled: a store that is
        full ends sessions and keeps nothing new.
        """
        if sid is not None:
            identity = ("sid", sid)
        elif subject is not None:
            identity = ("sub", subject)
        else:
            raise ValueError("a logout names a sid or a subject")
        failure: StoreUnavailable | None = None
        try:
            await mark_logout(self.store, issuer, identity, issued_at, now=self._clock())
        except StoreUnavailable as error:
            failure = error
        ended = await self.store.end_indexed(
            index_name(issuer, identity), reason="backchannel_logout", lifetime=self._tombstone_lifetime
        )
        self._on_end("backchannel_logout", ended)
        if failure is not None:
            raise failure
        return ended

    async def claim_token_id(self, token_id: str, lifetime: float) -> bool:
        """Whether a logout token may be acted on; False if its `jti` was used up within the lifetime (seconds).

        It may be again and again until `use_up_token_id`: what it orders may have failed halfway.
        """
        return await self.store.acquire(token_id_name(token_id), owner=_PENDING, lifetime=lifetime)

    async def use_up_token_id(self, token_id: str, lifetime: float) -> None:
        """Note that all that the logout token with this `jti` orders is done."""
        await self.store.put(token_id_name(token_id), _DONE, lifetime=lifetime)

    def _lifetime(self, record: SessionRecord, now: float) -> float:
        return min(self.idle, record.expires_at - now)
