"""`docs/security.md` and `docs/requirements.md` name tests as their proof: each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bff.check.requirements import REQUIREMENTS

ROOT = Path(__file__).parents[2]
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ROWS = [line for line in (ROOT / "docs/security.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]


def test_every_threat_has_a_proof() -> None:
    threats = ROWS[2:]
    assert len(threats) > 25
    for row in threats:
        assert PROOF.search(row), row


@pytest.mark.parametrize(("file", "name"), sorted(set(PROOF.findall("\n".join(ROWS)))))
def test_the_test_that_is_named_exists(file: str, name: str) -> None:
    assert_exists(f"`{file}::{name}`")


def test_every_requirement_is_listed_as_bff_check_knows_it() -> None:
    page = (ROOT / "docs/requirements.md").read_text(encoding="utf-8")
    row = r"^\| ([A-Z]+-[0-9]+) \| (\w+) \| ([0-9.]+) \| (.+) \| (.+) \| (.+) \|$"
    rows = re.findall(row, page, re.MULTILINE)
    assert [row[:4] for row in rows] == [(each.id, each.force, each.section, each.asks) for each in REQUIREMENTS]
    for identifier, force, _, _, met_in, shown_by in rows:
        if not shown_by.startswith(("does not apply", "not yet")):
            assert (ROOT / met_in.strip("`")).is_file(), identifier
            assert_exists(shown_by)
        else:
            assert force != "must" or shown_by.startswith("does not apply"), identifier


def assert_exists(proof: str) -> None:
    found = PROOF.fullmatch(proof)
    assert found, proof
    source = (ROOT / found[1]).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {found[2]}\(", source, re.MULTILINE), proof
