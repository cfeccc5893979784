"""The circuit between the gateway and a server that does not answer."""

from __future__ import annotations

from bff.stores.circuit import Circuit
from tests.support.clock import Clock


def test_everyone_may_try_until_something_fails() -> None:
    circuit = Circuit(0.5, Clock())
    assert [circuit.allows() for _ in range(3)] == [True] * 3


def test_after_a_failure_all_are_refused_for_a_pause() -> None:
    clock = Clock()
    circuit = Circuit(0.5, clock)
    circuit.failed()
    assert not circuit.allows()
    clock.advance(0.49)
    assert not circuit.allows()


def test_after_the_pause_one_probe_per_pause_is_let_through() -> None:
    clock = Clock()
    circuit = Circuit(0.5, clock)
    circuit.failed()
    clock.advance(0.5)
    assert [circuit.allows() for _ in range(3)] == [True, False, False]
    clock.advance(0.5)
    assert [circuit.allows() for _ in range(3)] == [True, False, False], "a probe that never reports holds nobody up"


def test_a_probe_that_succeeds_lets_everyone_through_again() -> None:
    clock = Clock()
    circuit = Circuit(0.5, clock)
    circuit.failed()
    clock.advance(0.5)
    assert circuit.allows()
    circuit.succeeded()
    assert [circuit.allows() for _ in range(3)] == [True] * 3


def test_a_probe_that_fails_begins_another_pause() -> None:
    clock = Clock()
    circuit = Circuit(0.5, clock)
    circuit.failed()
    clock.advance(0.7)
    assert circuit.allows()
    circuit.failed()
    clock.advance(0.4)
    assert not circuit.allows()


def test_failures_are_counted_for_those_who_waited() -> None:
    circuit = Circuit(0.5, Clock())
    circuit.failed()
    circuit.succeeded()
    circuit.failed()
    assert circuit.failures == 2
