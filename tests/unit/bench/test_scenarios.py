"""Every scenario has a name of its own, which the command line knows."""

from __future__ import annotations

import sys

import pytest

from bench.__main__ import main
from bench.options import parse_options
from bench.scenarios.catalogue import SCENARIOS
from bench.scenarios.memory import thinned


def test_the_help_names_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{' '.join(SCENARIOS)}; or all" in shown


def test_an_unknown_scenario_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--scenarios", "routes,rotues"])
    assert main() == 2
    assert "rotues" in capsys.readouterr().out


def test_memory_is_shown_at_the_start_after_every_tenth_and_at_the_end() -> None:
    seen = [(count, float(count)) for count in range(0, 1050, 50)]
    assert [count for count, _ in thinned(seen, 1000)] == [*range(0, 1001, 100)]
    assert [count for count, _ in thinned([(0, 1.0), (30, 2.0)], 1000)] == [0, 30]
