"""docs/performance.md says what the last results say, and its commands are understood."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bench.document import filled_in
from bench.options import RESULTS, parse_options
from bench.scenarios.catalogue import SCENARIOS
from bench.targets.catalogue import TARGETS
from tests.support.markdown import CHECKOUT, page

PAGE = page("docs/performance.md")
COMMANDS = [line.partition("  #")[0].strip() for block in PAGE.blocks for line in block.text.splitlines()]


def test_every_table_is_that_of_the_results_in_the_repository() -> None:
    assert filled_in(PAGE.text, RESULTS) == PAGE.text


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
    described = re.findall(
        r"^\| ([\w-]+(?: lean| keepalive 64)?) \| ", PAGE.text.partition("## How it is measured")[0], re.MULTILINE
    )
    assert described[1:] == list(TARGETS)


def test_a_place_without_results_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        filled_in("<!-- results: nothing -->\n<!-- end of results -->", tmp_path)
