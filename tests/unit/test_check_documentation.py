"""`docs/check.md` lists every finding of `bff check` with what it is about, and every exit status."""

from __future__ import annotations

import re
from pathlib import Path

from bff.check.catalogue import FINDINGS
from bff.check.findings import Level, exit_status
from bff.stores.redis_scripts import SCRIPTS

PAGE = (Path(__file__).parents[2] / "docs" / "check.md").read_text(encoding="utf-8")


def test_every_finding_is_documented_once_with_its_meaning_in_the_order_of_the_catalogue() -> None:
    assert re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+) \|$", PAGE, re.MULTILINE) == list(FINDINGS.items())


def test_the_exit_statuses_are_documented() -> None:
    documented = re.findall(r"^\| ([0-9]) \| ([a-z]+) \|", PAGE, re.MULTILINE)
    levels = (Level.GOOD, Level.DEGRADED, Level.UNUSABLE)
    assert documented == [(str(exit_status(level)), level.word) for level in levels]


def test_every_command_of_the_stores_scripts_is_among_the_rights_that_are_documented() -> None:
    (rule,) = re.findall(r"^ACL SETUSER bff .*$", PAGE, re.MULTILINE)
    called = {name for script in SCRIPTS for name in re.findall(r"redis\.p?call\('([A-Z]+)'", script.text)}
    assert called
    assert {f"+{name.lower()}" for name in called} <= set(rule.split())
