"""Keycloak from Maven Central, unpacked once into the user's cache; it needs Java and Maven."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bff.demo.child import Child, clean_environment
from tests.support.left_out import leave_out
from tests.support.processes import reserve_port, running

VERSION = "26.4.7"
SHA256 = "dd9834c023460be856f731423d86228c23b5d002194a2064642bec0cc6573eaa"
OLDEST_JAVA = 17
COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:copy"
DOWNLOAD_TIMEOUT = 420.0
"""Seconds for 159 MB and for what Maven itself needs."""

START_TIMEOUT = 300.0
"""Seconds; on two idle cores it takes a dozen."""

# Quick to start rather than quick in the long run.
QUICK_START = {"JAVA_OPTS_KC_HEAP": "-Xms128m -Xmx512m", "JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1"}


def installed() -> Path:
    """Return the folder of an unpacked Keycloak, which nothing may write to; downloaded and started the first time."""
    _check_java()
    maven = shutil.which("mvn")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bff-tests"
    folder = cache / f"keycloak-{VERSION}-{SHA256[:16]}"
    if folder.exists():
        return folder
    if maven is None:
        leave_out("Keycloak needs Maven (mvn) to be downloaded.")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="keycloak-", dir=cache) as unfinished:
        unpacked = _unpack(_download(maven, Path(unfinished)))
        # The first start puts together what all later ones find in its folder: half of the time it needs.
        with started(unpacked, reserve_port(), "/realms/master"):
            pass
        shutil.rmtree(unpacked / "data")
        # Another run may have been quicker; what it has put there is the same.
        with contextlib.suppress(OSError):
            unpacked.rename(folder)
    return folder


@contextmanager
def started(home: Path, port: int, ready_path: str, **variables: str) -> Iterator[Child]:
    """Keycloak in its own folder `home`, with an empty database; it imports the realms in `data/import`."""
    command = [
        *(str(home / "bin" / "kc.sh"), "start-dev", "--import-realm", "--db", "dev-mem"),
        *("--http-host", "127.0.0.1", "--http-port", str(port)),
    ]
    with running("keycloak", command, clean_environment(**QUICK_START, **variables)) as child:
        child.wait_until_ready(f"http://127.0.0.1:{port}{ready_path}", timeout=START_TIMEOUT)
        yield child


def _check_java() -> None:
    java = shutil.which("java")
    if java is None:
        leave_out("Keycloak needs Java.")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, errors="replace").stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        leave_out(f"Keycloak needs Java {OLDEST_JAVA} or later; this is {version[1] if version else 'unknown'}.")


def _download(maven: str, folder: Path) -> Path:
    artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
    command = [maven, "-q", "-B", "-C", COPY_GOAL, f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"]
    try:
        subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=DOWNLOAD_TIMEOUT, check=True
        )
    except subprocess.TimeoutExpired:
        leave_out("Keycloak could not be downloaded: it took too long.")
    except subprocess.CalledProcessError as failed:
        errors = [line for line in failed.stdout.splitlines() if "ERROR" in line]
        leave_out(f"Keycloak could not be downloaded: {(errors or ['mvn failed'])[0].strip()}")
    (archive,) = folder.glob("*.zip")
    with archive.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    assert found == SHA256, f"What was downloaded as Keycloak {VERSION} is something else: SHA-256 {found}"
    return archive


def _unpack(archive: Path) -> Path:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(archive.parent)
    folder = archive.parent / f"keycloak-{VERSION}"
    (folder / "bin" / "kc.sh").chmod(0o755)
    return folder
