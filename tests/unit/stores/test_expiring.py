"""Values with a lifetime."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bff.stores.expiring import CLEANED_AT_ONCE, ExpiringMap
from tests.support.clock import Clock


def test_a_value_is_gone_at_the_moment_its_time_has_come() -> None:
    clock = Clock()
    values: ExpiringMap[str] = ExpiringMap(clock)
    values.set("a", "value", clock() + 10)
    clock.advance(9.9)
    assert values.get("a") == "value"
    clock.advance(0.1)
    assert values.get("a") is None


def test_an_unknown_name_has_no_end() -> None:
    with pytest.raises(KeyError):
        ExpiringMap[str](Clock()).expires_at("a")


def test_what_has_ended_is_removed_by_later_writes_a_few_at_a_time() -> None:
    clock = Clock()
    values: ExpiringMap[int] = ExpiringMap(clock)
    for number in range(100):
        values.set(f"short {number}", number, clock() + 1)
    clock.advance(2)
    values.set("long", 0, clock() + 1000)
    assert len(values) == 101 - CLEANED_AT_ONCE
    for _ in range(100 // CLEANED_AT_ONCE):
        values.set("long", 0, clock() + 1000)
    assert len(values) == 1


def test_extending_an_entry_again_and_again_does_not_grow_the_queue() -> None:
    clock = Clock()
    values: ExpiringMap[int] = ExpiringMap(clock)
    for number in range(10_000):
        values.set("session", number, clock() + 1800)
        clock.advance(1)
    assert values.get("session") == 9999
    assert len(values._queue) == 1


class AgainstADict(RuleBasedStateMachine):
    """The map does what a dict of (value, end) does whose ended entries are ignored."""

    names = st.sampled_from("abcde")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.values: ExpiringMap[int] = ExpiringMap(self.clock)
        self.model: dict[str, tuple[int, float]] = {}

    @rule(name=names, value=st.integers(), lifetime=st.integers(0, 20))
    def set(self, name: str, value: int, lifetime: int) -> None:
        self.values.set(name, value, self.clock() + lifetime)
        self.model[name] = (value, self.clock() + lifetime)

    @rule(name=names)
    def remove(self, name: str) -> None:
        self.values.remove(name)
        self.model.pop(name, None)

    @rule(seconds=st.integers(0, 15))
    def advance(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def the_same_can_be_read(self) -> None:
        for name in "abcde":
            value, end = self.model.get(name, (None, 0.0))
            assert self.values.get(name) == (value if self.clock() < end else None)

    @invariant()
    def whatever_is_kept_is_queued_for_removal(self) -> None:
        queued = {name for _, name in self.values._queue}
        assert set(self.values._entries) <= queued


TestAgainstADict = AgainstADict.TestCase
