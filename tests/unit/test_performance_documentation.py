"""docs/performance.md says what the last results say, and its commands are understood."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from bench.document import filled_in
from bench.options import RESULTS, parse_options
from bench.scenarios.catalogue import SCENARIOS
from bench.targets.catalogue import TARGETS
from tests.support.markdown import CHECKOUT, page

PAGE = page("docs/performance.md")
VARIED = {"routes": "1 route", "sessions": "1 session"}
COMMANDS = [line.partition("  #")[0].strip() for block in PAGE.blocks for line in block.text.splitlines()]


def test_every_table_is_that_of_the_results_in_the_repository() -> None:
    assert filled_in(PAGE.text, RESULTS) == PAGE.text


def test_what_is_said_in_short_is_what_was_measured() -> None:
    rows = {(row["target"], row["connections"]): row for row in figures("small-calls")["rows"]}

    def cpu(target: str, connections: int = 32) -> float:
        return float(rows[target, connections]["cpu"])

    ours, at_256 = rows["bff", 32], rows["bff", 256]
    calls = [row["calls_per_second"] for row in figures("connections")["rows"] if row["target"] == "bff"]
    stream = figures("streams")["figures"]
    bodies = {(one["direction"], one["way"]): one["mebibytes_per_second"] for one in figures("bodies")["transfers"]}
    measured = [
        f"{ours['ratios']['nginx']:.2f}",
        f"{at_256['ratios']['nginx']:.2f}",
        f"{at_256['ratios']['nginx keepalive 64']:.2f}",
        f"{cpu('bff') / cpu('oauth2-proxy'):.2f}",
        f"{cpu('bff') / cpu('lua-resty-openidc lean'):.2f}, {cpu('bff') / cpu('lua-resty-openidc'):.2f}",
        f"{cpu('naive') / cpu('bff'):.0f}, {cpu('naive', 256) / cpu('bff', 256):.0f}",
        f"{min(calls[4:]) / max(calls):.0%}".replace("%", " %"),
        *(f"{figures(name)['rows'][1]['ratios'][first]:.2f}" for name, first in VARIED.items()),
        f"{ours['p99'] / rows['oauth2-proxy', 32]['p99']:.2f}",
        f"{throughput('workers', 1) / throughput('workers', 0):.2f}",
        f"{figures('memory')['resident_mebibytes'][-1][1]:.0f}",
        ", ".join(f"{bodies[way, 'bff'] / bodies[way, 'nginx']:.1f}" for way in ("down", "up")),
        f"{stream['KiB per idle stream']:.1f}",
        f"{stream['small calls/s beside 5,000 streams'] / stream['small calls/s without streams']:.2f}",
    ]
    table = PAGE.text.partition("## In short")[2].partition("\n\n")[2].partition("\n\n")[0].splitlines()[2:]
    assert [line.split("|")[3].strip() for line in table] == measured
    assert f"for {ours['ratios']['nginx']:.1f} times the CPU time" in page("README.md").text.replace("\n", " ")


def throughput(name: str, row: int) -> float:
    return float(figures(name)["rows"][row]["calls_per_second"])


def figures(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def test_every_scenario_has_its_results_on_the_page() -> None:
    assert set(re.findall(r"<!-- results: ([\w-]+) -->", PAGE.text)) >= SCENARIOS.keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command.startswith("make bench")
    # The directory of another checkout is an example; this one is as good.
    arguments = shlex.split(command.replace("../older-checkout", str(CHECKOUT)).removeprefix("make bench").strip())
    given = arguments[0].removeprefix("ARGS=") if arguments else ""
    parse_options(given.split())


def test_everything_that_is_compared_is_described() -> None:
    section = PAGE.text.partition("## What is compared")[2].partition("## How it is measured")[0]
    assert re.findall(r"^\| ([\w-]+(?: lean| keepalive 64)?) \| ", section, re.MULTILINE)[1:] == list(TARGETS)


def test_a_place_without_results_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        filled_in("<!-- results: nothing -->\n<!-- end of results -->", tmp_path)
