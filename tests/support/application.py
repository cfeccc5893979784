"""The single-page application's source with its locked packages, and npm to run its commands."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bff.demo.stack import APPLICATION
from tests.support.left_out import leave_out

SOURCE = APPLICATION.parent
OLDEST_NODE = (20, 19)
TIMEOUT = 240.0


def find_npm() -> str:
    """Return the path of npm; left out where it is missing, or Node.js is too old."""
    node, program = shutil.which("node"), shutil.which("npm")
    if node is None or program is None:
        leave_out("The application's own checks need Node.js and npm.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(int(part) for part in version.removeprefix("v").split(".")[:2]) < OLDEST_NODE:
        leave_out(f"The application's own checks need Node.js {OLDEST_NODE[0]}.{OLDEST_NODE[1]}; this is {version}.")
    return program


def copy_source(program: str, directory: Path) -> Path:
    """Return a copy of the source in `directory` that has the locked packages."""
    copy = directory / "static"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules"))
    (copy / "node_modules").symlink_to(_installed(program) / "node_modules")
    return copy


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
            answer = run_npm(program, unfinished, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            if answer.returncode != 0:
                errors = [line.strip() for line in answer.stderr.splitlines() if "error" in line.lower()]
                leave_out(f"The application's packages could not be installed: {(errors or ['npm ci failed'])[0]}")
            # Another run may have been quicker; what it has put there is the same.
            with contextlib.suppress(OSError):
                unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def run_npm(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run npm in a folder, and return how it ended and what it wrote."""
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
