"""Parts of the tests that are left out: never silently, and never where nothing may be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.left_out import LEAVE_NOTHING_OUT, leave_out

CHECKOUT = Path(__file__).resolve().parents[2]

EXAMPLE = """
import pytest
from tests.support.left_out import leave_out

@pytest.fixture(scope="module")
def engine():
    leave_out("needs an engine")

def test_drives(engine): pass
def test_brakes(engine): pass
def test_flies(): leave_out("needs wings")
def test_stands(): pass
"""


def test_a_missing_part_is_skipped_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LEAVE_NOTHING_OUT, raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs an engine"):
        leave_out("needs an engine")


def test_a_missing_part_fails_where_nothing_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LEAVE_NOTHING_OUT, "1")
    with pytest.raises(pytest.fail.Exception, match="needs an engine"):
        leave_out("needs an engine")


def run_example(directory: Path, **variables: str) -> tuple[int, list[str]]:
    (directory / "test_example.py").write_text(EXAMPLE)
    environment = {name: value for name, value in os.environ.items() if name != LEAVE_NOTHING_OUT}
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "test_example.py"],
        cwd=directory,
        # Of the plugins, each of which takes its time to load, none is needed.
        env={**environment, "PYTHONPATH": str(CHECKOUT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.returncode, finished.stdout.splitlines()


def test_the_last_lines_of_a_run_name_what_did_not_run_and_why(tmp_path: Path) -> None:
    status, lines = run_example(tmp_path)
    assert status == 0
    assert lines[-3:] == [
        "These parts of the tests did not run:",
        "  test_example.py (2 tests): needs an engine",
        "  test_example.py (1 test): needs wings",
    ]


def test_a_run_that_may_leave_nothing_out_fails(tmp_path: Path) -> None:
    status, lines = run_example(tmp_path, **{LEAVE_NOTHING_OUT: "1"})
    assert status == 1
    assert "1 passed" in lines[-1]
    assert "These parts of the tests did not run:" not in lines
