"""The store contract, line by line, on every store."""

from __future__ import annotations

import asyncio
from secrets import token_hex

import pytest

from bff.errors import StoreUnavailable
from bff.session.store import SessionStore, StoredSession, Tombstone
from tests.support.heard_endings import listening
from tests.support.stores import Place

LONG = 3600.0
SHORT = 0.06
A_CALL = 1.0
"""Seconds in which a call gets done, on a busy machine too."""

KEY = "a" * 64
OTHER_KEY = "b" * 64
SEALED = bytes(range(256)) * 16 + b"\r\n$-1\r\n*0\r\n-ERR\r\n"


async def create(
    store: SessionStore,
    key: str = KEY,
    sealed: bytes = SEALED,
    *,
    touched_at: float = 1_700_000_000.125,
    lifetime: float = LONG,
    indexes: tuple[str, ...] = (),
    index_lifetime: float = LONG,
) -> None:
    """Create a session whose particulars do not matter."""
    await store.create(
        key, sealed, touched_at=touched_at, lifetime=lifetime, indexes=indexes, index_lifetime=index_lifetime
    )


# --- records ---


async def test_a_record_is_read_as_it_was_written(store: SessionStore, other_store: SessionStore) -> None:
    await create(store)
    for reader in (store, other_store):
        assert await reader.read(KEY) == StoredSession(1, 1_700_000_000.125, SEALED)


@pytest.mark.parametrize("sealed", [b"", b"\x00", b"\r\n", b"x" * 300_000], ids=len)
async def test_a_value_of_any_size_is_opaque(store: SessionStore, sealed: bytes) -> None:
    await create(store, sealed=sealed)
    assert await store.read(KEY) == StoredSession(1, 1_700_000_000.125, sealed)


async def test_what_was_never_written_is_not_there(store: SessionStore) -> None:
    assert await store.read(KEY) is None
    assert await store.get("name") is None


async def test_a_record_is_gone_when_its_lifetime_is_over(store: SessionStore, place: Place) -> None:
    await create(store, lifetime=SHORT)
    await place.outlive(SHORT)
    assert await store.read(KEY) is None
    assert not await store.touch(KEY, touched_at=1.0, lifetime=LONG)
    assert not await store.update(KEY, b"new", version=1)
    assert not await store.end(KEY, reason="logout", lifetime=LONG)
    assert await store.read(KEY) is None


async def test_a_key_that_is_taken_is_not_written_over(store: SessionStore) -> None:
    await create(store)
    with pytest.raises(StoreUnavailable):
        await create(store, sealed=b"another")
    assert await store.read(KEY) == StoredSession(1, 1_700_000_000.125, SEALED)


# --- update ---


async def test_an_update_replaces_the_record_and_counts_the_version_up(store: SessionStore) -> None:
    await create(store)
    assert await store.update(KEY, b"second", version=1)
    assert await store.read(KEY) == StoredSession(2, 1_700_000_000.125, b"second")
    assert await store.update(KEY, b"third" * 2000, version=2)
    assert await store.read(KEY) == StoredSession(3, 1_700_000_000.125, b"third" * 2000)


async def test_an_update_based_on_what_has_changed_since_is_refused(
    store: SessionStore, other_store: SessionStore
) -> None:
    await create(store)
    assert await other_store.update(KEY, b"theirs", version=1)
    assert not await store.update(KEY, b"ours", version=1)
    assert not await store.update(KEY, b"ours", version=3)
    assert await store.read(KEY) == StoredSession(2, 1_700_000_000.125, b"theirs")


async def test_an_update_brings_nothing_into_being(store: SessionStore) -> None:
    assert not await store.update(KEY, b"new", version=1)
    assert not await store.update(KEY, b"new", version=0)
    assert await store.read(KEY) is None


async def test_an_update_does_not_extend_the_lifetime(store: SessionStore, place: Place) -> None:
    await create(store, lifetime=A_CALL)
    assert await store.update(KEY, b"second", version=1)
    await place.outlive(A_CALL)
    assert await store.read(KEY) is None


async def test_of_many_updates_of_one_version_one_succeeds(store: SessionStore, other_store: SessionStore) -> None:
    await create(store)
    writers = [store, other_store] * 10
    results = await asyncio.gather(
        *(writer.update(KEY, f"{number}".encode(), version=1) for number, writer in enumerate(writers))
    )
    assert results.count(True) == 1
    found = await store.read(KEY)
    assert isinstance(found, StoredSession)
    assert found.sealed == f"{results.index(True)}".encode()
    assert found.version == 2


# --- touch ---


async def test_a_touch_extends_the_lifetime_and_notes_the_time(store: SessionStore, place: Place) -> None:
    await create(store, lifetime=A_CALL)
    assert await store.touch(KEY, touched_at=1_700_000_060.5, lifetime=LONG)
    await place.outlive(A_CALL)
    assert await store.read(KEY) == StoredSession(1, 1_700_000_060.5, SEALED)


async def test_a_touch_can_shorten_the_lifetime_too(store: SessionStore, place: Place) -> None:
    await create(store)
    assert await store.touch(KEY, touched_at=1_700_000_060.5, lifetime=SHORT)
    await place.outlive(SHORT)
    assert await store.read(KEY) is None


async def test_a_touch_does_not_disturb_an_update(store: SessionStore) -> None:
    await create(store)
    assert await store.touch(KEY, touched_at=1_700_000_060.0, lifetime=LONG)
    assert await store.update(KEY, b"second", version=1)
    assert await store.read(KEY) == StoredSession(2, 1_700_000_060.0, b"second")


async def test_a_touch_does_not_revive(store: SessionStore) -> None:
    assert not await store.touch(KEY, touched_at=1_700_000_060.0, lifetime=LONG)
    assert await store.read(KEY) is None


# --- end ---


async def test_what_was_ended_leaves_a_tombstone_everywhere(store: SessionStore, other_store: SessionStore) -> None:
    await create(store)
    assert await store.end(KEY, reason="logout", lifetime=LONG)
    for reader in (store, other_store):
        assert await reader.read(KEY) == Tombstone("logout")


async def test_whoever_ends_a_session_gets_what_it_was_at_that_moment(
    store: SessionStore, other_store: SessionStore
) -> None:
    await create(store)
    assert await other_store.update(KEY, b"refreshed", version=1)
    assert await store.end(KEY, reason="logout", lifetime=LONG) == StoredSession(2, 1_700_000_000.125, b"refreshed")
    assert await store.end(KEY, reason="logout", lifetime=LONG) is None


async def test_nothing_undoes_an_end(store: SessionStore, other_store: SessionStore) -> None:
    await create(store)
    assert await store.end(KEY, reason="logout", lifetime=LONG)
    for writer in (store, other_store):
        assert not await writer.update(KEY, b"new", version=1)
        assert not await writer.update(KEY, b"new", version=0)
        assert not await writer.touch(KEY, touched_at=1_700_000_060.0, lifetime=LONG)
        assert not await writer.end(KEY, reason="replaced", lifetime=LONG)
        with pytest.raises(StoreUnavailable):
            await create(writer)
        assert await writer.read(KEY) == Tombstone("logout")


async def test_ending_what_is_not_there_leaves_nothing(store: SessionStore) -> None:
    assert await store.end(KEY, reason="logout", lifetime=LONG) is None
    assert await store.read(KEY) is None


async def test_a_tombstone_is_gone_when_its_lifetime_is_over(store: SessionStore, place: Place) -> None:
    await create(store)
    await store.end(KEY, reason="logout", lifetime=SHORT)
    await place.outlive(SHORT)
    assert await store.read(KEY) is None


async def test_of_many_who_end_a_session_one_did(store: SessionStore, other_store: SessionStore) -> None:
    await create(store)
    results = await asyncio.gather(*(s.end(KEY, reason="logout", lifetime=LONG) for s in [store, other_store] * 10))
    assert [session for session in results if session is not None] == [StoredSession(1, 1_700_000_000.125, SEALED)]


async def test_an_update_in_flight_never_undoes_a_logout(store: SessionStore, other_store: SessionStore) -> None:
    for number in range(20):
        key = f"{number:064x}"
        await create(store, key)
        contenders = [
            store.update(key, b"refreshed", version=1),
            other_store.end(key, reason="logout", lifetime=LONG),
        ]
        await asyncio.gather(*(reversed(contenders) if number % 2 else contenders))
        assert await store.read(key) == Tombstone("logout")


# --- indexes ---


async def test_every_session_of_an_index_is_ended_and_no_other(store: SessionStore, other_store: SessionStore) -> None:
    await create(store, "1" * 64, indexes=("subject", "sid one"))
    await create(other_store, "2" * 64, indexes=("subject", "sid two"))
    await create(store, "3" * 64, indexes=("another subject",))
    assert await other_store.end_indexed("subject", reason="backchannel_logout", lifetime=LONG) == 2
    assert await store.read("1" * 64) == Tombstone("backchannel_logout")
    assert await store.read("2" * 64) == Tombstone("backchannel_logout")
    assert isinstance(await store.read("3" * 64), StoredSession)


async def test_one_of_several_indexes_ends_its_session_only(store: SessionStore) -> None:
    await create(store, "1" * 64, indexes=("subject", "sid one"))
    await create(store, "2" * 64, indexes=("subject", "sid two"))
    assert await store.end_indexed("sid one", reason="backchannel_logout", lifetime=LONG) == 1
    assert await store.read("1" * 64) == Tombstone("backchannel_logout")
    assert isinstance(await store.read("2" * 64), StoredSession)
    assert await store.end_indexed("subject", reason="backchannel_logout", lifetime=LONG) == 1, "the other is counted"


async def test_an_index_is_forgotten_once_its_sessions_were_ended(store: SessionStore) -> None:
    await create(store, "1" * 64, indexes=("subject",))
    assert await store.end_indexed("subject", reason="backchannel_logout", lifetime=LONG) == 1
    await create(store, "2" * 64, indexes=("subject",))
    assert await store.end_indexed("subject", reason="backchannel_logout", lifetime=LONG) == 1
    assert await store.end_indexed("subject", reason="backchannel_logout", lifetime=LONG) == 0


async def test_an_index_nobody_is_in_ends_nothing(store: SessionStore) -> None:
    assert await store.end_indexed("nobody", reason="backchannel_logout", lifetime=LONG) == 0


async def test_sessions_that_ended_by_themselves_are_not_counted(store: SessionStore, place: Place) -> None:
    await create(store, "1" * 64, indexes=("subject",), lifetime=SHORT)
    await create(store, "2" * 64, indexes=("subject",), lifetime=SHORT, index_lifetime=SHORT)
    await create(store, "3" * 64, indexes=("subject",))
    await place.outlive(SHORT)
    assert await store.end_indexed("subject", reason="backchannel_logout", lifetime=LONG) == 1


async def test_a_session_stays_in_its_index_for_the_index_lifetime(store: SessionStore, place: Place) -> None:
    """The idle limit may be extended again and again, so the index must last to the absolute limit."""
    await create(store, lifetime=A_CALL, indexes=("subject",))
    assert await store.touch(KEY, touched_at=1.0, lifetime=LONG)
    await place.outlive(A_CALL)
    assert await store.end_indexed("subject", reason="backchannel_logout", lifetime=LONG) == 1


async def test_a_short_session_does_not_shorten_the_index_of_a_long_one(store: SessionStore, place: Place) -> None:
    await create(store, "1" * 64, indexes=("subject",))
    await create(store, "2" * 64, indexes=("subject",), lifetime=SHORT, index_lifetime=SHORT)
    await place.outlive(SHORT)
    assert await store.end_indexed("subject", reason="backchannel_logout", lifetime=LONG) == 1


# --- claims, values, leases ---


async def test_a_name_can_be_claimed_once(store: SessionStore, other_store: SessionStore) -> None:
    assert await store.acquire("name", owner=token_hex(), lifetime=LONG)
    assert not await store.acquire("name", owner=token_hex(), lifetime=LONG)
    assert not await other_store.acquire("name", owner=token_hex(), lifetime=LONG)
    assert await other_store.acquire("another name", owner=token_hex(), lifetime=LONG)


async def test_a_claim_ends(store: SessionStore, place: Place) -> None:
    assert await store.acquire("name", owner=token_hex(), lifetime=SHORT)
    await place.outlive(SHORT)
    assert await store.acquire("name", owner=token_hex(), lifetime=LONG)


async def test_of_fifty_who_claim_a_name_one_gets_it(store: SessionStore, other_store: SessionStore) -> None:
    results = await asyncio.gather(
        *(s.acquire("name", owner=token_hex(), lifetime=LONG) for s in [store, other_store] * 25)
    )
    assert results.count(True) == 1


async def test_a_value_is_kept_replaced_and_gone_in_time(
    store: SessionStore, other_store: SessionStore, place: Place
) -> None:
    await store.put("name", b"\x00first", lifetime=LONG)
    assert await other_store.get("name") == b"\x00first"
    await other_store.put("name", b"second", lifetime=A_CALL)
    assert await store.get("name") == b"second"
    await place.outlive(A_CALL)
    assert await store.get("name") is None


async def test_a_lease_has_one_owner(store: SessionStore, other_store: SessionStore) -> None:
    assert await store.acquire("lease", owner="one", lifetime=LONG)
    assert not await other_store.acquire("lease", owner="two", lifetime=LONG)
    assert await store.get("lease") == b"one"


async def test_an_owner_recognises_its_lease(store: SessionStore) -> None:
    assert await store.acquire("lease", owner="one", lifetime=LONG)
    assert await store.acquire("lease", owner="one", lifetime=LONG)


async def test_an_owners_lease_begins_anew_when_it_is_taken_again(
    store: SessionStore, other_store: SessionStore, place: Place
) -> None:
    await store.acquire("lease", owner="one", lifetime=SHORT)
    assert await store.acquire("lease", owner="one", lifetime=LONG)
    await place.outlive(SHORT)
    assert not await other_store.acquire("lease", owner="two", lifetime=LONG)


async def test_a_lease_is_given_back_by_its_owner_only(store: SessionStore, other_store: SessionStore) -> None:
    assert await store.acquire("lease", owner="one", lifetime=LONG)
    await other_store.release("lease", owner="two")
    assert not await other_store.acquire("lease", owner="two", lifetime=LONG)
    await store.release("lease", owner="one")
    assert await other_store.acquire("lease", owner="two", lifetime=LONG)
    await store.release("lease", owner="one")
    assert await store.get("lease") == b"two"


async def test_a_lease_ends_and_the_late_owner_does_not_release_the_next_ones(
    store: SessionStore, other_store: SessionStore, place: Place
) -> None:
    assert await store.acquire("lease", owner="one", lifetime=SHORT)
    await place.outlive(SHORT)
    assert await other_store.acquire("lease", owner="two", lifetime=LONG)
    await store.release("lease", owner="one")
    assert await store.get("lease") == b"two"


async def test_of_fifty_who_want_a_lease_one_gets_it(store: SessionStore, other_store: SessionStore) -> None:
    results = await asyncio.gather(
        *(s.acquire("lease", owner=f"{n}", lifetime=LONG) for n, s in enumerate([store, other_store] * 25))
    )
    assert results.count(True) == 1
    assert await store.get("lease") == f"{results.index(True)}".encode()


async def test_releasing_what_nobody_has_does_nothing(store: SessionStore) -> None:
    await store.release("lease", owner="one")
    assert await store.get("lease") is None


# --- reading together ---


async def test_reads_that_arrive_together_each_get_their_own(store: SessionStore) -> None:
    keys = [f"{number:064x}" for number in range(300)]
    for key in keys[::3]:
        await create(store, key, key.encode())
    await store.end(keys[0], reason="logout", lifetime=LONG)
    found = await asyncio.gather(*(store.read(key) for key in keys for _ in range(2)))
    for position, key in enumerate(key for key in keys for _ in range(2)):
        if key == keys[0]:
            assert found[position] == Tombstone("logout")
        elif key in keys[::3]:
            assert found[position] == StoredSession(1, 1_700_000_000.125, key.encode())
        else:
            assert found[position] is None


async def test_whoever_leaves_while_waiting_takes_nothing_with_him(store: SessionStore) -> None:
    keys = [f"{number:064x}" for number in range(50)]
    for key in keys:
        await create(store, key, key.encode() * 64)
    for round_ in range(40):
        reads = [(key, store.read(key)) for key in keys]
        if round_ % 3:
            await asyncio.sleep(0)
        for position, (_, future) in enumerate(reads):
            if (position + round_) % 2:
                future.cancel()
        for key, future in reads:
            if not future.cancelled():
                found = await future
                assert isinstance(found, StoredSession)
                assert found.sealed == key.encode() * 64


async def test_who_goes_on_at_once_is_given_the_same(store: SessionStore) -> None:
    await create(store)
    await create(store, OTHER_KEY)
    await store.end(OTHER_KEY, reason="logout", lifetime=LONG)
    futures: list[asyncio.Future[StoredSession | Tombstone | None]] = [
        asyncio.get_running_loop().create_future() for _ in range(4)
    ]
    for key, future in zip((KEY, OTHER_KEY, KEY, "0" * 64), futures, strict=True):
        store.read_for(key, future)
    futures[2].cancel()
    first, second, _, last = await asyncio.gather(*futures, return_exceptions=True)
    assert (first, second, last) == (StoredSession(1, 1_700_000_000.125, SEALED), Tombstone("logout"), None)
    await store.close()
    late: asyncio.Future[StoredSession | Tombstone | None] = asyncio.get_running_loop().create_future()
    store.read_for(KEY, late)
    with pytest.raises(StoreUnavailable, match=r"store\.closed"):
        await late


async def test_a_read_after_everyone_left_works(store: SessionStore) -> None:
    await create(store)
    for _ in range(3):
        future = store.read(KEY)
        future.cancel()
        await asyncio.sleep(0)
    assert isinstance(await store.read(KEY), StoredSession)


async def test_a_read_sees_what_was_written_before_it(store: SessionStore, other_store: SessionStore) -> None:
    await create(store)
    for version in range(1, 30):
        assert await store.update(KEY, f"{version}".encode(), version=version)
        found = await store.read(KEY), await other_store.read(KEY), await store.read(OTHER_KEY)
        written = StoredSession(version + 1, 1_700_000_000.125, f"{version}".encode())
        assert found == (written, written, None)


# --- hearing of endings ---


async def test_every_ending_is_heard_on_every_instance_once(store: SessionStore, other_store: SessionStore) -> None:
    here, there = await listening(store), await listening(other_store)
    await create(store)
    await create(store, OTHER_KEY, indexes=("sub",))
    await store.end(KEY, reason="logout", lifetime=LONG)
    await other_store.end_indexed("sub", reason="backchannel_logout", lifetime=LONG)
    for heard in (here, there):
        await heard.until_heard(2)
        assert sorted(heard.endings) == [(KEY, "logout"), (OTHER_KEY, "backchannel_logout")]


async def test_an_ending_is_heard_only_when_the_tombstone_can_be_read(
    store: SessionStore, other_store: SessionStore
) -> None:
    heard = await listening(store)
    for number in range(20):
        await create(store, f"{number:064x}")
        ending = asyncio.ensure_future(other_store.end(f"{number:064x}", reason="logout", lifetime=LONG))
        await heard.until_heard(number + 1)
        assert await store.read(f"{number:064x}") == Tombstone("logout")
        await ending


async def test_what_ends_nothing_is_not_announced(store: SessionStore, other_store: SessionStore, place: Place) -> None:
    heard = await listening(other_store)
    await create(store, lifetime=SHORT)
    await store.touch(KEY, touched_at=1.0, lifetime=SHORT)
    await place.outlive(SHORT)
    assert await store.read(KEY) is None
    await store.end(KEY, reason="logout", lifetime=LONG)
    await create(store, OTHER_KEY)
    await store.update(OTHER_KEY, b"another", version=1)
    await store.end(OTHER_KEY, reason="logout", lifetime=LONG)
    await store.end(OTHER_KEY, reason="replaced", lifetime=LONG)
    await create(store, "c" * 64)
    await store.end("c" * 64, reason="grant_refused", lifetime=LONG)
    await heard.until_heard(2)
    assert heard.endings == [(OTHER_KEY, "logout"), ("c" * 64, "grant_refused")]


async def test_another_application_hears_nothing(store: SessionStore, place: Place) -> None:
    name = place.namespace
    place.renew()
    foreign = place.open()
    heard = await listening(foreign)
    await create(store)
    await store.end(KEY, reason="logout", lifetime=LONG)
    place.namespace = name
    await create(foreign, OTHER_KEY)
    await foreign.end(OTHER_KEY, reason="logout", lifetime=LONG)
    await heard.until_heard(1)
    assert heard.endings == [(OTHER_KEY, "logout")]
    await foreign.close()


# --- the store itself ---


async def test_a_store_that_is_there_answers_a_ping(store: SessionStore) -> None:
    await store.ping()


async def test_a_closed_store_is_unavailable(place: Place) -> None:
    place.renew()
    store = place.open()
    await store.ping()
    await store.read(KEY)
    await store.close()
    attempts = [
        store.read(KEY),
        create(store),
        store.update(KEY, b"", version=1),
        store.touch(KEY, touched_at=1.0, lifetime=1.0),
        store.end(KEY, reason="logout", lifetime=1.0),
        store.end_indexed("index", reason="logout", lifetime=1.0),
        store.acquire("name", owner=token_hex(), lifetime=1.0),
        store.put("name", b"", lifetime=1.0),
        store.get("name"),
        store.acquire("name", owner="one", lifetime=1.0),
        store.release("name", owner="one"),
        store.ping(),
    ]
    for attempt in attempts:
        with pytest.raises(StoreUnavailable) as refusal:
            await attempt
        assert refusal.value.reason == "store.closed"
