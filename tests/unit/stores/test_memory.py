"""The memory store against a model of the contract, for any order of calls (the contract itself: tests/contract)."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bff.errors import StoreUnavailable
from bff.session.store import StoredSession, Tombstone
from bff.stores.memory import MemoryStore
from tests.support.clock import Clock

Result = TypeVar("Result")

KEYS = ("k1", "k2", "k3")
INDEXES = ("i1", "i2")
NAMES = ("n1", "n2")


@dataclass
class Kept:
    """What the model keeps: a session if `reason` is None, else its tombstone."""

    version: int
    touched_at: float
    sealed: bytes
    ends_at: float
    reason: str | None = None


class AgainstAModel(RuleBasedStateMachine):
    """Sessions, indexes and leases as plain dicts whose entries are ignored once they have ended."""

    keys = st.sampled_from(KEYS)
    lifetimes = st.integers(1, 20)
    sealed = st.binary(max_size=3)

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(1000.0)
        self.store = MemoryStore(self.clock)
        self.loop = asyncio.new_event_loop()
        self.sessions: dict[str, Kept] = {}
        self.listed: dict[tuple[str, str], float] = {}
        self.leases: dict[str, tuple[bytes, float]] = {}

    def teardown(self) -> None:
        self.loop.close()

    def result(self, call: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(call)

    def kept(self, key: str) -> Kept | None:
        kept = self.sessions.get(key)
        return kept if kept is not None and self.clock() < kept.ends_at else None

    def live(self, key: str) -> Kept | None:
        kept = self.kept(key)
        return kept if kept is not None and kept.reason is None else None

    def holder(self, name: str) -> bytes | None:
        holder, ends_at = self.leases.get(name, (b"", 0.0))
        return holder if self.clock() < ends_at else None

    @rule(seconds=st.integers(1, 12))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(
        key=keys,
        sealed=sealed,
        lifetime=lifetimes,
        longer=st.integers(0, 20),
        indexes=st.sets(st.sampled_from(INDEXES)),
    )
    def create(self, key: str, sealed: bytes, lifetime: int, longer: int, indexes: set[str]) -> None:
        call = self.store.create(
            key,
            sealed,
            touched_at=self.clock(),
            lifetime=lifetime,
            indexes=sorted(indexes),
            index_lifetime=lifetime + longer,
        )
        if self.kept(key) is not None:
            try:
                self.result(call)
            except StoreUnavailable:
                return
            raise AssertionError("what is there was written over")
        self.result(call)
        self.sessions[key] = Kept(1, self.clock(), sealed, self.clock() + lifetime)
        for index in indexes:
            self.listed[index, key] = self.clock() + lifetime + longer

    @rule(key=keys, sealed=sealed, version=st.integers(0, 4))
    def update(self, key: str, sealed: bytes, version: int) -> None:
        live = self.live(key)
        is_current = live is not None and live.version == version
        assert self.result(self.store.update(key, sealed, version=version)) is is_current
        if live is not None and is_current:
            live.version, live.sealed = version + 1, sealed

    @rule(key=keys, lifetime=lifetimes)
    def touch(self, key: str, lifetime: int) -> None:
        live = self.live(key)
        assert self.result(self.store.touch(key, touched_at=self.clock(), lifetime=lifetime)) is (live is not None)
        if live is not None:
            live.touched_at, live.ends_at = self.clock(), self.clock() + lifetime

    @rule(key=keys, lifetime=lifetimes, reason=st.sampled_from(["logout", "replaced"]))
    def end(self, key: str, lifetime: int, reason: str) -> None:
        live = self.live(key)
        ended = self.result(self.store.end(key, reason=reason, lifetime=lifetime))
        assert ended == (None if live is None else StoredSession(live.version, live.touched_at, live.sealed))
        if live is not None:
            live.reason, live.ends_at = reason, self.clock() + lifetime

    @rule(index=st.sampled_from(INDEXES), lifetime=lifetimes)
    def end_indexed(self, index: str, lifetime: int) -> None:
        listed = [key for (name, key), ends_at in self.listed.items() if name == index and self.clock() < ends_at]
        live = [kept for key in listed if (kept := self.live(key)) is not None]
        assert self.result(self.store.end_indexed(index, reason="logout", lifetime=lifetime)) == len(live)
        for kept in live:
            kept.reason, kept.ends_at = "logout", self.clock() + lifetime
        self.listed = {entry: ends_at for entry, ends_at in self.listed.items() if entry[0] != index}

    @rule(name=st.sampled_from(NAMES), owner=st.sampled_from(["one", "two"]), lifetime=lifetimes)
    def acquire(self, name: str, owner: str, lifetime: int) -> None:
        succeeds = self.holder(name) in {None, owner.encode()}
        assert self.result(self.store.acquire(name, owner=owner, lifetime=lifetime)) is succeeds
        if succeeds:
            self.leases[name] = (owner.encode(), self.clock() + lifetime)

    @rule(name=st.sampled_from(NAMES), owner=st.sampled_from(["one", "two"]))
    def release(self, name: str, owner: str) -> None:
        self.result(self.store.release(name, owner=owner))
        if self.holder(name) == owner.encode():
            del self.leases[name]

    @rule(name=st.sampled_from(NAMES), value=st.binary(max_size=2), lifetime=lifetimes)
    def put(self, name: str, value: bytes, lifetime: int) -> None:
        self.result(self.store.put(name, value, lifetime=lifetime))
        self.leases[name] = (value, self.clock() + lifetime)

    @invariant()
    def everything_reads_as_in_the_model(self) -> None:
        async def read(key: str) -> StoredSession | Tombstone | None:
            return await self.store.read(key)

        for key in KEYS:
            kept = self.kept(key)
            if kept is None:
                expected: StoredSession | Tombstone | None = None
            elif kept.reason is not None:
                expected = Tombstone(kept.reason)
            else:
                expected = StoredSession(kept.version, kept.touched_at, kept.sealed)
            assert self.result(read(key)) == expected
        for name in NAMES:
            assert self.result(self.store.get(name)) == self.holder(name)


TestAgainstAModel = AgainstAModel.TestCase
