"""Locked packages are installed as they are locked, whatever has been released since."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", ["Makefile", "deploy/Dockerfile", "docs/deployment.md", ".ci/run"])
def test_nothing_beside_the_lock_is_resolved(path: str) -> None:
    # pip looks at the newest `coverage[toml]` before it looks at the `coverage` of the lock, and then lacks a hash.
    installs = [line for line in (_ROOT / path).read_text().splitlines() if "--require-hashes" in line]
    assert installs
    assert all("--no-deps" in line for line in installs)


def test_the_lock_leaves_out_nothing_that_is_needed() -> None:
    outcome = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout
