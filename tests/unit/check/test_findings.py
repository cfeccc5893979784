"""Findings: their levels, their exit statuses, and what foreign text may not do to a terminal."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bff.check.catalogue import FINDINGS
from bff.check.findings import Finding, Level, degraded, exit_status, good, note, quoted, shown, unusable, verdict

PACKAGE = Path(__file__).parents[3] / "bff" / "check"

GOOD = good("store.reach", "BFF_REDIS_URL", "Answers")
NOTE = note("store.memory", "BFF_REDIS_URL", "In memory", "Set it")
DEGRADED = degraded("provider.end_session", "BFF_ISSUER", "None", "Turn it on")
UNUSABLE = unusable("provider.metadata", "BFF_ISSUER", "None", "Correct it")


@pytest.mark.parametrize(
    "findings,level,status",
    [
        ([], Level.GOOD, 0),
        ([GOOD], Level.GOOD, 0),
        ([GOOD, NOTE], Level.GOOD, 0),
        ([NOTE, DEGRADED, GOOD], Level.DEGRADED, 1),
        ([DEGRADED, UNUSABLE, NOTE], Level.UNUSABLE, 2),
    ],
)
def test_the_worst_finding_decides_and_notes_change_nothing(findings: list[Finding], level: Level, status: int) -> None:
    assert verdict(findings) is level
    assert exit_status(verdict(findings)) == status


def test_every_finding_but_a_good_one_has_a_cure() -> None:
    with pytest.raises(ValueError, match="cure"):
        Finding(id="store.reach", level=Level.NOTE, seen="Slow", variable="BFF_REDIS_URL")
    with pytest.raises(ValueError, match="cure"):
        Finding(id="store.reach", level=Level.GOOD, seen="Fast", variable="BFF_REDIS_URL", cure="None needed")


def test_a_finding_outside_the_catalogue_is_refused() -> None:
    with pytest.raises(ValueError, match="catalogue"):
        good("store.colour", "BFF_REDIS_URL", "Blue")


def test_every_finding_of_the_catalogue_is_made_somewhere() -> None:
    texts = {
        node.value
        for path in PACKAGE.glob("*.py")
        if path.name != "catalogue.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    # The end of an examination that takes too long is named after its area.
    made_of_parts = {"provider.unfinished", "store.unfinished"}
    assert set(FINDINGS) - texts == made_of_parts


def test_foreign_text_cannot_act_on_a_terminal_and_is_not_endless() -> None:
    assert shown("\x1b[2Jgone\n\u202e") == "?[2Jgone??"
    assert shown("x" * 500) == "x" * 200 + "…"
    assert quoted("https://id.example") == "“https://id.example”"
