"""The single-page application's own checks; they need Node.js and npm."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bff.demo.stack import APPLICATION
from tests.support.left_out import leave_out

SOURCE = APPLICATION.parent
OLDEST_NODE = (20, 19)
TIMEOUT = 240.0

Npm = Callable[..., str]

pytestmark = pytest.mark.timeout(2 * TIMEOUT)


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Npm:
    """Run npm in a copy of the source that has the locked packages; returns what it wrote."""
    node, program = shutil.which("node"), shutil.which("npm")
    if node is None or program is None:
        leave_out("The application's own checks need Node.js and npm.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(int(part) for part in version.removeprefix("v").split(".")[:2]) < OLDEST_NODE:
        leave_out(f"The application's own checks need Node.js {OLDEST_NODE[0]}.{OLDEST_NODE[1]}; this is {version}.")
    copy = tmp_path_factory.mktemp("application") / "static"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules"))
    (copy / "node_modules").symlink_to(_installed(program) / "node_modules")

    def run(*arguments: str) -> str:
        answer = _npm(program, copy, *arguments)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    return run


def test_its_types_hold(npm: Npm) -> None:
    npm("run", "typecheck")


def test_its_unit_tests_pass(npm: Npm) -> None:
    assert "passed" in npm("test")


def test_its_build_in_the_repository_is_what_its_source_builds_to(npm: Npm) -> None:
    assert "dist/ is what its source builds to." in npm("run", "check-build")


def _installed(program: str) -> Path:
    """Return a folder with the locked packages, installed into the user's cache the first time."""
    lock = SOURCE / "package-lock.json"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bff-tests"
    folder = cache / f"application-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="application-", dir=cache))
        try:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, unfinished)
            answer = _npm(program, unfinished, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            if answer.returncode != 0:
                errors = [line.strip() for line in answer.stderr.splitlines() if "error" in line.lower()]
                leave_out(f"The application's packages could not be installed: {(errors or ['npm ci failed'])[0]}")
            # Another run may have been quicker; what it has put there is the same.
            with contextlib.suppress(OSError):
                unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _npm(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        env=os.environ | {"CI": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
        check=False,
    )
