"""`docs/security.md` names tests as its proof: each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
    source = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE)
