"""The command line is understood, or says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.options import Options, parse_options

CHECKOUT = Path(__file__).resolve().parents[3]


def test_without_options_the_defaults_hold() -> None:
    assert parse_options([]) == Options()


def test_connections_targets_and_checkouts_are_lists() -> None:
    options = parse_options(["--connections", "1,32", "--targets", "nginx,bff", "--compare", f"before={CHECKOUT}"])
    assert options.connections == (1, 32)
    assert options.targets == ("nginx", "bff")
    assert options.compare == (("before", CHECKOUT),)


def test_a_quick_run_leaves_the_results_alone() -> None:
    quick = parse_options(["--quick"])
    assert quick.results != Options().results
    assert (quick.rounds, quick.duration) == (1, 1.0)


@pytest.mark.parametrize(
    "wrong", ["--connections=0", "--connections=a", "--duration=0.5", "--rounds=0", "--compare=x=/nowhere", "--conn=3"]
)
def test_what_makes_no_sense_ends_with_a_message(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options([wrong])
    assert "error:" in capsys.readouterr().err
