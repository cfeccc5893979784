"""Accessibility faults of a page, found by the npm package axe-core; it needs npm."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.support.browser_page import Page
from tests.support.left_out import leave_out

PACKAGE = Path(__file__).resolve().parents[1] / "browser" / "axe"
INSTALL_TIMEOUT = 60.0
REPORTED = ("serious", "critical")


def axe_script() -> str:
    """Return axe-core's source, installed into the user's cache the first time; left out without npm."""
    npm = shutil.which("npm")
    lock = PACKAGE / "package-lock.json"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bff-tests"
    folder = cache / f"axe-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not folder.exists():
        if npm is None:
            leave_out("The search for accessibility faults needs npm.")
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="axe-", dir=cache))
        try:
            _install(npm, unfinished)
            # Another run may have been quicker; what it has put there is the same.
            with contextlib.suppress(OSError):
                unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def accessibility_faults(page: Page, script: str) -> list[str]:
    """Return what is seriously wrong with the page as it is now: the rule, and where."""
    # Not as a value: the source ends in one that cannot be told.
    page.evaluate(f"{script}; undefined")
    report: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:160]} {node.get('failureSummary', '')}"
        for violation in report["violations"]
        if violation["impact"] in REPORTED
        for node in violation["nodes"]
    ]


def _install(npm: str, folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGE / name, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=INSTALL_TIMEOUT, check=True
        )
    except subprocess.TimeoutExpired:
        leave_out("axe-core could not be installed: npm ci took too long.")
    except subprocess.CalledProcessError as failed:
        errors = [line.strip() for line in failed.stderr.splitlines() if "error" in line.lower()]
        leave_out(f"axe-core could not be installed: {(errors or ['npm ci failed'])[0]}")
