"""The use cases of a session, over the memory store."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from bff.errors import SessionEnded, SessionExpired, StoreUnavailable
from bff.logins_under_way import LOGOUT_MARK_LIFETIME, STATE_CLAIM_LIFETIME, ClaimedLogin
from bff.session.names import mark_name
from bff.session.record import AccessToken
from bff.session.sealing import Sealer, sealing_context
from bff.session.store import END_REASONS, EndReason, StoredSession, Tombstone
from bff.sessions import TOMBSTONE_LIFETIME, Session, Sessions
from bff.stores.memory import MemoryStore
from tests.support.clock import Clock
from tests.support.session_records import ISSUER, NOW, session_record

IDLE = 1800.0
LONGEST = 8 * 3600.0
OLD_KEY = b"an old secret key of 32 or more bytes"
NEW_KEY = b"a new secret key of 32 or more bytes!"
CONTEXT = sealing_context(ISSUER, "spa", "https://app.example")
SUBJECT = session_record().subject
SID = session_record().sid


class Bench:
    """Instances of one gateway: one store, one clock, and what they reported."""

    def __init__(self) -> None:
        self.clock = Clock(NOW)
        self.store = MemoryStore(self.clock)
        self.events: list[tuple[int, str, dict[str, str]]] = []
        self.ended: Counter[str] = Counter()
        self.handles = iter(range(1, 1000))
        self.sessions = self.instance()

    def instance(
        self, *secret_keys: bytes, store: Any = None, idle: float = IDLE, context: bytes = CONTEXT
    ) -> Sessions:
        """Return another instance, by default with the same settings."""
        return Sessions(
            self.store if store is None else store,
            Sealer(secret_keys or (NEW_KEY,), context, random_bytes=secrets.token_bytes),
            idle=idle,
            max_lifetime=LONGEST,
            clock=self.clock,
            random_bytes=lambda count: next(self.handles).to_bytes(count, "big"),
            on_event=self._note,
            on_end=self._count,
        )

    def _note(self, level: int, name: str, **fields: str) -> None:
        self.events.append((level, name, fields))

    def _count(self, reason: str, count: int) -> None:
        self.ended[reason] += count

    async def start(
        self, sessions: Sessions | None = None, *, previous: tuple[str, ...] = (), **changes: Any
    ) -> Session:
        """Log in now."""
        now = self.clock()
        times = {"created_at": now, "issued_at": now, "expires_at": now + LONGEST}
        sessions = sessions or self.sessions
        return await sessions.start(
            session_record(**(times | changes)), await under_way(sessions, now), previous=previous
        )


async def under_way(sessions: Sessions, started_at: float = NOW - 5) -> ClaimedLogin:
    """Return a login that began then and whose code is about to be redeemed."""
    login = await sessions.claim_login(secrets.token_urlsafe(), started_at)
    assert login is not None
    return login


@pytest.fixture
def bench() -> Bench:
    return Bench()


class Failing:
    """A store some of whose methods fail, or do something else first."""

    def __init__(self, store: MemoryStore, **instead: Callable[..., Any]) -> None:
        self._store = store
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        return self._instead.get(name) or getattr(self._store, name)


async def unavailable(*_: Any, **__: Any) -> Any:
    raise StoreUnavailable("store.timeout")


# --- start and resume ---


async def test_a_session_is_resumed_by_its_handle_on_every_instance(bench: Bench) -> None:
    started = await bench.start()
    assert len(started.handle) == 32
    for sessions in (bench.sessions, bench.instance()):
        assert await sessions.resume(started.handle) == started


async def test_every_login_gets_a_new_handle_and_ends_the_sessions_presented(bench: Bench) -> None:
    first = await bench.start()
    second = await bench.start()
    third = await bench.start(previous=(first.key, second.key, "unknown"))
    assert len({first.handle, second.handle, third.handle}) == 3
    for replaced in (first, second):
        with pytest.raises(SessionEnded) as ended:
            await bench.sessions.resume(replaced.handle)
        assert ended.value.reason == "session.ended.replaced"
    assert await bench.sessions.resume(third.handle) == third


async def test_a_handle_that_was_never_given_out_is_no_session(bench: Bench) -> None:
    with pytest.raises(SessionExpired) as expired:
        await bench.sessions.resume(b"\x00" * 32)
    assert expired.value.reason == "session.not_found"


async def test_reading_and_opening_by_hand_is_the_same_as_resuming(bench: Bench) -> None:
    started = await bench.start()
    key = bench.sessions.store_key(started.handle)
    found = await bench.store.read(key)
    assert key == started.key
    assert bench.sessions.opened(started.handle, key, found, bench.clock()) == started


async def test_an_outage_while_reading_is_no_end_of_the_session(bench: Bench) -> None:
    started = await bench.start()

    def read(_key: str) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_exception(StoreUnavailable("store.timeout"))
        return future

    with pytest.raises(StoreUnavailable):
        await bench.instance(store=Failing(bench.store, read=read)).resume(started.handle)
    assert await bench.sessions.resume(started.handle) == started


async def test_a_login_whose_record_is_past_its_limit_is_refused(bench: Bench) -> None:
    with pytest.raises(SessionExpired):
        await bench.start(expires_at=bench.clock())


async def test_nothing_of_handle_identity_or_tokens_is_visible_in_the_store(bench: Bench) -> None:
    started = await bench.start()
    await bench.sessions.end_by_provider(ISSUER, None, "another subject", NOW)
    await bench.sessions.claim_login("a state", NOW)
    await bench.sessions.claim_token_id("a token id", 60)
    maps = (bench.store._sessions, bench.store._indexes, bench.store._values)
    everything = repr([entries._entries for entries in maps])
    for secret in (SUBJECT, str(SID), "access-1", "refresh-1", "another subject", "a state", "a token id", ISSUER):
        assert secret not in everything
    assert started.handle.hex() not in everything
    assert repr(started.handle)[2:-1] not in everything


# --- limits ---


async def test_a_session_that_is_not_used_ends_at_the_idle_limit(bench: Bench) -> None:
    started = await bench.start()
    assert started.idle_expires_at(IDLE) == NOW + IDLE
    bench.clock.advance(IDLE - 1)
    await bench.sessions.resume(started.handle)
    bench.clock.advance(1)
    with pytest.raises(SessionExpired):
        await bench.sessions.resume(started.handle)


async def test_the_reader_checks_the_idle_limit_though_the_store_still_has_the_record(bench: Bench) -> None:
    started = await bench.start()
    stricter = bench.instance(idle=60)
    bench.clock.advance(60)
    with pytest.raises(SessionExpired) as expired:
        await stricter.resume(started.handle)
    assert expired.value.reason == "session.idle_limit"


async def test_a_session_in_use_ends_at_the_absolute_limit(bench: Bench) -> None:
    session = await bench.start()
    while bench.clock() + IDLE / 2 < NOW + LONGEST:
        bench.clock.advance(IDLE / 2)
        session = await bench.sessions.extend(await bench.sessions.resume(session.handle))
    assert session.idle_expires_at(IDLE) == NOW + LONGEST
    bench.clock.now = NOW + LONGEST - 1
    await bench.sessions.resume(session.handle)
    bench.clock.advance(1)
    with pytest.raises(SessionExpired):
        await bench.sessions.resume(session.handle)


async def test_the_reader_checks_the_absolute_limit_though_the_store_still_has_the_record(bench: Bench) -> None:
    started = await bench.start(expires_at=NOW + 100)
    await bench.store.touch(started.key, touched_at=NOW + 99, lifetime=IDLE)
    bench.clock.advance(100)
    with pytest.raises(SessionExpired) as expired:
        await bench.sessions.resume(started.handle)
    assert expired.value.reason == "session.absolute_limit"


async def test_extending_counts_the_idle_limit_from_now(bench: Bench) -> None:
    started = await bench.start()
    bench.clock.advance(IDLE - 1)
    extended = await bench.sessions.extend(started)
    assert extended.touched_at == bench.clock()
    bench.clock.advance(IDLE - 1)
    assert await bench.sessions.resume(started.handle) == extended


async def test_extending_a_session_that_has_ended_says_so_and_revives_nothing(bench: Bench) -> None:
    started = await bench.start()
    await bench.sessions.end(started.key, "logout")
    with pytest.raises(SessionEnded):
        await bench.sessions.extend(started)
    bench.clock.advance(TOMBSTONE_LIFETIME)
    with pytest.raises(SessionExpired):
        await bench.sessions.extend(started)
    with pytest.raises(SessionExpired):
        await bench.sessions.resume(started.handle)


# --- noting use in the background ---


@pytest.mark.parametrize("idle, age, is_due", [(1800, 59, False), (1800, 60, True), (100, 9, False), (100, 10, True)])
async def test_use_is_noted_once_a_minute_or_ten_times_per_idle_limit(
    bench: Bench, idle: float, age: float, is_due: bool
) -> None:
    sessions = bench.instance(idle=idle)
    started = await bench.start(sessions)
    assert sessions.touch_due(started, NOW + age) is is_due


async def test_noting_use_extends_the_session(bench: Bench) -> None:
    started = await bench.start()
    bench.clock.advance(IDLE - 1)
    bench.sessions.touch_later(started)
    await bench.sessions.settle()
    bench.clock.advance(IDLE - 1)
    assert (await bench.sessions.resume(started.handle)).touched_at == NOW + IDLE - 1


async def test_noting_use_never_outlasts_the_absolute_limit(bench: Bench) -> None:
    started = await bench.start(expires_at=NOW + 100)
    bench.clock.advance(90)
    bench.sessions.touch_later(started)
    await bench.sessions.settle()
    assert bench.store._sessions.expires_at(started.key) == NOW + 100


async def test_use_past_the_absolute_limit_is_not_noted(bench: Bench) -> None:
    started = await bench.start(expires_at=NOW + 100)
    bench.clock.advance(100)
    bench.sessions.touch_later(started)
    await bench.sessions.settle()
    assert bench.store._sessions.get(started.key) is None
    assert bench.events == []


async def test_use_of_one_session_is_noted_by_one_task_at_a_time(bench: Bench) -> None:
    calls = 0

    async def touch(*_: Any, **__: Any) -> bool:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return True

    sessions = bench.instance(store=Failing(bench.store, touch=touch))
    one, other = await bench.start(), await bench.start()
    for _ in range(5):
        sessions.touch_later(one)
        sessions.touch_later(other)
        await asyncio.sleep(0)
    await sessions.settle()
    assert calls <= 6
    before = calls
    sessions.touch_later(one)
    await sessions.settle()
    assert calls == before + 1, "when it is done the next use is noted again"


async def test_a_store_that_fails_in_the_background_becomes_an_event_and_nothing_else(bench: Bench) -> None:
    started = await bench.start()
    sessions = bench.instance(store=Failing(bench.store, touch=unavailable))
    sessions.touch_later(started)
    await sessions.settle()
    assert bench.events == [(logging.WARNING, "session.touch_failed", {"reason": "store.timeout"})]


async def test_noting_use_does_not_undo_a_logout(bench: Bench) -> None:
    started = await bench.start()
    bench.sessions.touch_later(started)
    await bench.sessions.end(started.key, "logout")
    await bench.sessions.settle()
    with pytest.raises(SessionEnded):
        await bench.sessions.resume(started.handle)


# --- replace ---


async def test_a_changed_record_is_seen_by_the_next_reader(bench: Bench) -> None:
    started = await bench.start()
    record = session_record(expires_at=NOW + LONGEST, access_token=AccessToken("access-2", None, ()))
    replaced = await bench.sessions.replace(started, record)
    assert replaced is not None
    assert (replaced.version, replaced.record) == (2, record)
    assert await bench.instance().resume(started.handle) == replaced


async def test_a_change_based_on_an_older_record_is_lost(bench: Bench) -> None:
    started = await bench.start()
    assert await bench.sessions.replace(started, session_record(refresh_token="theirs"))
    assert await bench.sessions.replace(started, session_record(refresh_token="ours")) is None
    assert (await bench.sessions.resume(started.handle)).record.refresh_token == "theirs"


async def test_a_change_in_flight_does_not_undo_a_logout(bench: Bench) -> None:
    started = await bench.start()
    await bench.sessions.end(started.key, "logout")
    assert await bench.sessions.replace(started, started.record) is None
    with pytest.raises(SessionEnded):
        await bench.sessions.resume(started.handle)


# --- keys ---


async def test_rotating_the_secret_keys_logs_nobody_out_and_reseals_with_the_newest(bench: Bench) -> None:
    started = await bench.start(bench.instance(OLD_KEY))
    rotated = bench.instance(NEW_KEY, OLD_KEY)
    session = await rotated.resume(started.handle)
    assert not session.is_sealed_currently
    assert rotated.touch_due(session, bench.clock()), "whatever the time of the last use"
    rotated.touch_later(session)
    await rotated.settle()
    session = await bench.instance(NEW_KEY).resume(started.handle)
    assert session.is_sealed_currently
    assert session.record == started.record


async def test_a_change_seals_with_the_newest_key(bench: Bench) -> None:
    started = await bench.start(bench.instance(OLD_KEY))
    rotated = bench.instance(NEW_KEY, OLD_KEY)
    replaced = await rotated.replace(await rotated.resume(started.handle), started.record)
    assert replaced is not None
    assert replaced.is_sealed_currently


async def test_resealing_that_loses_to_another_change_is_no_trouble(bench: Bench) -> None:
    started = await bench.start(bench.instance(OLD_KEY))
    rotated = bench.instance(NEW_KEY, OLD_KEY)
    session = await rotated.resume(started.handle)
    assert await rotated.replace(session, session_record(refresh_token="newer"))
    rotated.touch_later(session)
    await rotated.settle()
    assert (await rotated.resume(started.handle)).record.refresh_token == "newer"
    assert bench.events == []


async def test_a_session_under_a_key_that_was_removed_has_expired_and_is_reported(bench: Bench) -> None:
    started = await bench.start(bench.instance(OLD_KEY))
    with pytest.raises(SessionExpired) as expired:
        await bench.sessions.resume(started.handle)
    assert expired.value.reason == "session.unsealable"
    assert bench.events == [(logging.WARNING, "session.unsealable", {"reason": "key_unknown"})]
    assert await bench.instance(OLD_KEY).resume(started.handle), "nothing was deleted: the key may come back"


async def test_swapped_records_open_for_nobody(bench: Bench) -> None:
    ann, bob = await bench.start(), await bench.start(subject="bob")
    found_ann, found_bob = await bench.store.read(ann.key), await bench.store.read(bob.key)
    for session, found in ((ann, found_bob), (bob, found_ann)):
        with pytest.raises(SessionExpired) as expired:
            bench.sessions.opened(session.handle, session.key, found, bench.clock())
        assert expired.value.reason == "session.unsealable"


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"x" * 500])
async def test_a_damaged_record_has_expired_and_is_no_error(bench: Bench, sealed: bytes) -> None:
    started = await bench.start()
    with pytest.raises(SessionExpired):
        bench.sessions.opened(started.handle, started.key, StoredSession(1, NOW, sealed), NOW)


async def test_a_session_of_another_application_is_not_accepted(bench: Bench) -> None:
    other = bench.instance(context=sealing_context(ISSUER, "another client", "https://app.example"))
    started = await bench.start(other)
    with pytest.raises(SessionExpired):
        await bench.sessions.resume(started.handle)
    found = await bench.store.read(started.key)
    with pytest.raises(SessionExpired):
        bench.sessions.opened(started.handle, started.key, found, bench.clock())


# --- end ---


@pytest.mark.parametrize("reason", END_REASONS)
async def test_a_session_that_was_ended_says_so_everywhere_at_once(bench: Bench, reason: EndReason) -> None:
    started = await bench.start()
    assert await bench.sessions.end(started.key, reason)
    with pytest.raises(SessionEnded) as ended:
        await bench.instance().resume(started.handle)
    assert ended.value.reason == f"session.ended.{reason}"
    assert not await bench.sessions.end(started.key, reason)
    assert bench.ended == {reason: 1}


async def test_whoever_ends_a_session_with_its_handle_gets_what_it_held_last(bench: Bench) -> None:
    started = await bench.start()
    refreshed = session_record(refresh_token="refresh-2", expires_at=bench.clock() + LONGEST)
    assert await bench.instance().replace(started, refreshed)
    assert await bench.sessions.end_presented(started.handle, "logout") == refreshed
    assert await bench.sessions.end_presented(started.handle, "logout") is None
    assert bench.ended == {"logout": 1}


async def test_a_session_that_cannot_be_opened_ends_all_the_same(bench: Bench) -> None:
    started = await bench.start(bench.instance(OLD_KEY))
    assert await bench.sessions.end_presented(started.handle, "logout") is None
    assert await bench.store.read(started.key) == Tombstone("logout")


async def test_what_a_login_replaces_is_counted_if_it_was_alive(bench: Bench) -> None:
    first = await bench.start()
    await bench.start(previous=(first.key, "unknown"))
    assert bench.ended == {"replaced": 1}


def test_a_reason_the_gateway_did_not_write_is_not_repeated(bench: Bench) -> None:
    with pytest.raises(SessionEnded) as ended:
        bench.sessions.opened(b"", "", Tombstone("\x1b[31m"), NOW)
    assert ended.value.reason == "session.ended"


async def test_a_tombstone_lasts_an_hour_at_most(bench: Bench) -> None:
    started = await bench.start()
    await bench.sessions.end(started.key, "logout")
    bench.clock.advance(TOMBSTONE_LIFETIME - 1)
    with pytest.raises(SessionEnded):
        await bench.sessions.resume(started.handle)
    bench.clock.advance(1)
    with pytest.raises(SessionExpired):
        await bench.sessions.resume(started.handle)


# --- logout by the provider ---


async def test_a_logout_by_sid_ends_the_sessions_of_that_sid_only(bench: Bench) -> None:
    first, second = await bench.start(sid="one"), await bench.start(sid="one")
    other = await bench.start(sid="two")
    assert await bench.instance().end_by_provider(ISSUER, "one", SUBJECT, NOW) == 2
    assert bench.ended == {"backchannel_logout": 2}
    for ended in (first, second):
        with pytest.raises(SessionEnded) as error:
            await bench.sessions.resume(ended.handle)
        assert error.value.reason == "session.ended.backchannel_logout"
    assert await bench.sessions.resume(other.handle) == other


async def test_a_logout_by_subject_ends_all_sessions_of_that_subject_only(bench: Bench) -> None:
    mine = [await bench.start(sid="one"), await bench.start(sid="two"), await bench.start(sid=None)]
    other = await bench.start(subject="another")
    assert await bench.instance().end_by_provider(ISSUER, None, SUBJECT, NOW) == 3
    for ended in mine:
        with pytest.raises(SessionEnded):
            await bench.sessions.resume(ended.handle)
    assert await bench.sessions.resume(other.handle) == other


async def test_a_logout_of_another_issuer_ends_nothing(bench: Bench) -> None:
    started = await bench.start()
    assert await bench.sessions.end_by_provider("https://other.example", SID, SUBJECT, NOW) == 0
    assert await bench.sessions.resume(started.handle) == started


async def test_a_logout_that_names_nobody_is_a_programming_error(bench: Bench) -> None:
    with pytest.raises(ValueError, match="sid or a subject"):
        await bench.sessions.end_by_provider(ISSUER, None, None, NOW)


async def test_a_sid_and_a_subject_of_the_same_text_are_not_mixed_up(bench: Bench) -> None:
    started = await bench.start(sid=None)
    assert await bench.sessions.end_by_provider(ISSUER, SUBJECT, None, NOW) == 0
    assert await bench.sessions.resume(started.handle) == started


async def test_a_login_without_subject_and_sid_is_not_found_by_an_empty_name(bench: Bench) -> None:
    """Plain OAuth: no ID token says who it is."""
    started = await bench.start(sid=None, subject="")
    assert await bench.sessions.end_by_provider(ISSUER, None, "", NOW + 10) == 0
    assert await bench.sessions.resume(started.handle) == started


@pytest.mark.parametrize("by", ["sid", "subject"])
async def test_a_login_under_way_when_the_logout_arrives_does_not_succeed(bench: Bench, by: str) -> None:
    """The code was issued before the logout, the session is written after it."""
    sid, subject = (SID, None) if by == "sid" else (None, SUBJECT)
    record = session_record(issued_at=NOW)
    bench.clock.advance(2)
    assert await bench.sessions.end_by_provider(ISSUER, sid, subject, NOW + 1) == 0
    bench.clock.advance(1)
    with pytest.raises(SessionEnded) as ended:
        await bench.sessions.start(record, await under_way(bench.sessions))
    assert ended.value.reason == "session.ended.backchannel_logout"
    handle = 1
    with pytest.raises(SessionEnded):
        await bench.sessions.resume(handle.to_bytes(32, "big"))
    assert bench.ended.total() == 0, "nobody had it"


@pytest.mark.parametrize("auth_time", [None, NOW - 3600, NOW + 4])
@pytest.mark.parametrize("by", ["sid", "subject"])
async def test_a_logout_that_arrives_while_the_code_is_redeemed_wins_over_an_id_token_issued_after_it(
    bench: Bench, by: str, auth_time: float | None
) -> None:
    """The provider may take its time, and `iat` is when it answered."""
    sid, subject = (SID, None) if by == "sid" else (None, SUBJECT)
    login = await under_way(bench.sessions)
    bench.clock.advance(2)
    await bench.sessions.end_by_provider(ISSUER, sid, subject, NOW + 2)
    bench.clock.advance(3)
    with pytest.raises(SessionEnded):
        await bench.sessions.start(session_record(issued_at=NOW + 5, auth_time=auth_time), login)


async def test_a_logout_of_the_same_session_wins_over_a_login_whose_answer_was_on_its_way(bench: Bench) -> None:
    await bench.sessions.end_by_provider(ISSUER, SID, None, NOW)
    bench.clock.advance(2)
    with pytest.raises(SessionEnded):
        await bench.sessions.start(session_record(issued_at=NOW + 2), await under_way(bench.sessions))


@pytest.mark.parametrize("auth_time, is_another", [(None, True), (NOW + 1, True), (NOW, False), (NOW - 3600, False)])
async def test_a_user_who_was_logged_out_while_at_the_provider_may_log_in_again_there(
    bench: Bench, auth_time: float | None, is_another: bool
) -> None:
    """The browser was sent there before the logout, and comes back after it: when did the user show who they are?"""
    await bench.sessions.end_by_provider(ISSUER, None, SUBJECT, NOW)
    bench.clock.advance(2)
    login = await under_way(bench.sessions)
    record = session_record(issued_at=NOW + 2, auth_time=auth_time)
    if is_another:
        assert await bench.sessions.start(record, login)
    else:
        with pytest.raises(SessionEnded):
            await bench.sessions.start(record, login)


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("by", ["sid", "subject"])
async def test_a_logout_between_the_writing_and_the_check_is_seen(bench: Bench, by: str, is_before: bool) -> None:
    """A logout that arrives exactly while the session is being written ends it, whichever of the two is first."""
    sid, subject = (SID, None) if by == "sid" else (None, SUBJECT)

    async def create(key: str, sealed: bytes, **rest: Any) -> None:
        if is_before:
            await bench.sessions.end_by_provider(ISSUER, sid, subject, NOW)
        await bench.store.create(key, sealed, **rest)
        if not is_before:
            await bench.sessions.end_by_provider(ISSUER, sid, subject, NOW)

    sessions = bench.instance(store=Failing(bench.store, create=create))
    with pytest.raises(SessionEnded):
        await sessions.start(session_record(issued_at=NOW), await under_way(sessions))


async def test_a_login_after_the_logout_works(bench: Bench) -> None:
    await bench.start()
    bench.clock.advance(10)
    await bench.sessions.end_by_provider(ISSUER, None, SUBJECT, bench.clock())
    bench.clock.advance(1)
    again = await bench.start()
    assert await bench.sessions.resume(again.handle) == again


async def test_a_login_begun_after_the_logout_arrived_works_within_the_same_second_of_the_provider(
    bench: Bench,
) -> None:
    await bench.sessions.end_by_provider(ISSUER, SID, None, NOW)
    bench.clock.advance(0.2)
    again = await bench.start(issued_at=NOW)
    assert await bench.sessions.resume(again.handle) == again


async def test_an_older_logout_that_arrives_late_does_not_hide_a_newer_one(bench: Bench) -> None:
    await bench.sessions.end_by_provider(ISSUER, SID, None, NOW + 10)
    await bench.sessions.end_by_provider(ISSUER, SID, None, NOW + 1)
    with pytest.raises(SessionEnded):
        await bench.sessions.start(session_record(issued_at=NOW + 5), await under_way(bench.sessions))


async def test_a_logout_is_remembered_for_as_long_as_a_login_may_take(bench: Bench) -> None:
    await bench.sessions.end_by_provider(ISSUER, SID, None, NOW)
    bench.clock.advance(LOGOUT_MARK_LIFETIME - 1)
    with pytest.raises(SessionEnded):
        await bench.sessions.start(session_record(issued_at=NOW), await under_way(bench.sessions, NOW - 1))
    bench.clock.advance(1)
    assert await bench.sessions.start(session_record(issued_at=NOW), await under_way(bench.sessions, NOW - 1))


async def test_a_login_whose_logout_cannot_be_checked_does_not_succeed(bench: Bench) -> None:
    """Fail closed: an outage between writing and checking hands no session out."""
    sessions = bench.instance(store=Failing(bench.store, get=unavailable))
    with pytest.raises(StoreUnavailable):
        await bench.start(sessions)


@pytest.mark.parametrize("planted", [b"", b"planted", b"1", b"1 2 3", b"\xff \xff"])
async def test_a_mark_that_cannot_be_read_hides_no_logout_and_hinders_none(bench: Bench, planted: bytes) -> None:
    started = await bench.start()
    await bench.store.put(mark_name(ISSUER, ("sid", str(SID))), planted, lifetime=60.0)
    with pytest.raises(SessionEnded):
        await bench.start()
    assert await bench.sessions.end_by_provider(ISSUER, SID, None, NOW) == 1
    with pytest.raises(SessionEnded):
        await bench.sessions.resume(started.handle)
    bench.clock.advance(1)
    assert await bench.sessions.start(session_record(issued_at=NOW), await under_way(bench.sessions, bench.clock()))


async def test_a_logout_that_could_not_be_marked_ends_the_sessions_and_is_not_reported_as_done(bench: Bench) -> None:
    started = await bench.start()
    sessions = bench.instance(store=Failing(bench.store, put=unavailable))
    with pytest.raises(StoreUnavailable):
        await sessions.end_by_provider(ISSUER, SID, None, NOW)
    with pytest.raises(SessionEnded):
        await bench.sessions.resume(started.handle)
    assert bench.ended == {"backchannel_logout": 1}
    assert await bench.sessions.end_by_provider(ISSUER, SID, None, NOW) == 0, "the provider sends it again"
    with pytest.raises(SessionEnded):
        await bench.sessions.start(session_record(issued_at=NOW), await under_way(bench.sessions))


async def test_the_logout_of_a_session_in_use_all_day_still_finds_it(bench: Bench) -> None:
    session = await bench.start()
    for _ in range(int(LONGEST / IDLE * 2) - 1):
        bench.clock.advance(IDLE / 2)
        session = await bench.sessions.extend(session)
    assert await bench.sessions.end_by_provider(ISSUER, SID, None, bench.clock()) == 1


# --- once only ---


async def test_a_login_is_claimed_once_on_all_instances_together(bench: Bench) -> None:
    login = await bench.sessions.claim_login("state", NOW)
    assert login is not None
    assert (login.state, login.started_at, len(login.handle)) == ("state", NOW, 32)
    assert "state" not in repr(login)
    assert await bench.sessions.claim_login("state", NOW) is None
    assert await bench.instance().claim_login("state", NOW) is None
    assert await bench.sessions.claim_login("another", NOW)
    bench.clock.advance(STATE_CLAIM_LIFETIME - 1)
    assert await bench.sessions.claim_login("state", NOW) is None


async def test_a_logout_token_that_was_used_up_is_not_used_again_within_its_lifetime(bench: Bench) -> None:
    assert await bench.sessions.claim_token_id("jti", 120)
    await bench.sessions.use_up_token_id("jti", 120)
    assert not await bench.instance().claim_token_id("jti", 120)
    assert await bench.sessions.claim_login("jti", NOW), "a state of the same text is something else"
    bench.clock.advance(120)
    assert await bench.sessions.claim_token_id("jti", 120)


async def test_a_logout_token_whose_work_is_not_done_may_come_again_on_any_instance(bench: Bench) -> None:
    for sessions in (bench.sessions, bench.instance(), bench.sessions):
        assert await sessions.claim_token_id("jti", 120)


async def test_a_claim_that_cannot_be_made_is_not_granted(bench: Bench) -> None:
    sessions = bench.instance(store=Failing(bench.store, acquire=unavailable))
    with pytest.raises(StoreUnavailable):
        await sessions.claim_login("state", NOW)
    with pytest.raises(StoreUnavailable):
        await sessions.claim_token_id("jti", 60)
