"""The clock: a difference is told in seconds, and judged by what it does."""

from __future__ import annotations

import pytest

from bff.check.clock_check import provider_clock, store_clock
from bff.check.findings import Level


@pytest.mark.parametrize(
    "offset,level,words",
    [
        (-4.9, Level.GOOD, "that of this machine"),
        (20.0, Level.NOTE, "20 s ahead of"),
        (-45.0, Level.DEGRADED, "45 s behind"),
        (45.0, Level.DEGRADED, "may be refused"),
        (61.0, Level.UNUSABLE, "from the future"),
        (-650.0, Level.DEGRADED, "650 s behind"),
        (-670.0, Level.UNUSABLE, "that old"),
    ],
)
def test_the_providers_clock_is_judged_by_the_leeway_of_tokens(offset: float, level: Level, words: str) -> None:
    finding = provider_clock(offset)
    assert finding.level is level
    assert words in finding.seen


@pytest.mark.parametrize("offset,level", [(0.0, Level.GOOD), (-30.0, Level.NOTE), (90.0, Level.DEGRADED)])
def test_the_stores_clock_decides_nothing_but_shows_that_one_is_wrong(offset: float, level: Level) -> None:
    finding = store_clock(offset, "redis:6379")
    assert finding.level is level
    assert finding.subject == "redis:6379"
