"""The server under test has its cores to itself where there are enough."""

from __future__ import annotations

import os

from bench.cores import Cores, running_on, share_out


def test_the_server_gets_the_last_cores_and_the_load_the_others() -> None:
    assert share_out(frozenset({0, 1})) == Cores(server=frozenset({1}), load=frozenset({0}))
    assert share_out(frozenset(range(4)), 2) == Cores(server=frozenset({2, 3}), load=frozenset({0, 1}))
    assert share_out(frozenset({0, 1})).are_apart


def test_too_few_cores_are_shared() -> None:
    assert share_out(frozenset({0, 1}), 2) == Cores(server=frozenset({0, 1}), load=frozenset({0, 1}))
    assert not share_out(frozenset({0})).are_apart


def test_cores_are_given_back() -> None:
    before = os.sched_getaffinity(0)
    with running_on(frozenset({min(before)})):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
