"""The systemd unit, as systemd's own analysis reads it, and its strictest rule tried on the gateway."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bff.demo.child import clean_environment
from tests.deploy.documents import DEPLOY, LONGEST_STOP
from tests.support.left_out import leave_out
from tests.support.processes import reserve_port, running

UNIT = (DEPLOY / "systemd" / "bff.service").read_text(encoding="utf-8")
MOST_EXPOSED = 20
"""Tenths, on the scale of `systemd-analyze security`, where a service without any protection has 96."""

REFUSE_EXECUTABLE_MEMORY = """
import ctypes, os, sys
if ctypes.CDLL(None, use_errno=True).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
    sys.exit(77)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a command that is on this machine."""
    if shutil.which("systemd-analyze") is None:
        leave_out("systemd-analyze is not installed")
    path = tmp_path / "bff.service"
    path.write_text(UNIT.replace("/opt/bff/bin/bff", sys.executable), encoding="utf-8")
    return path


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_systemd_understands_all_of_it(unit: Path) -> None:
    done = analyze("verify", "--man=no", str(unit))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_finds_it_well_protected(unit: Path) -> None:
    done = analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(unit))
    assert done.returncode == 0, done.stdout


def test_open_calls_get_their_time_to_end() -> None:
    (seconds,) = re.findall(r"(?m)^TimeoutStopSec=(\d+)s$", UNIT)
    assert int(seconds) >= LONGEST_STOP


def test_a_faulty_configuration_is_not_tried_again_and_again() -> None:
    assert "\nRestartPreventExitStatus=2\n" in UNIT


def test_every_secret_is_a_credential() -> None:
    named = dict(re.findall(r"(?m)^Environment=(BFF_[A-Z_]+)_FILE=%d/(.*)$", UNIT))
    assert set(named.values()) == set(re.findall(r"(?m)^LoadCredential=([a-z-]+):", UNIT))
    assert named.keys() == {"BFF_CLIENT_SECRET", "BFF_SECRET_KEYS", "BFF_REDIS_URL"}


def test_the_gateway_runs_where_no_memory_can_become_executable() -> None:
    assert "\nMemoryDenyWriteExecute=yes\n" in UNIT
    port = reserve_port()
    environment = clean_environment(
        BFF_PUBLIC_URL="https://app.example.com",
        BFF_PORT=str(port),
        BFF_ISSUER="http://127.0.0.1:1",
        BFF_CLIENT_ID="app",
        BFF_CLIENT_SECRET="secret",
        BFF_UPSTREAM_URL="http://127.0.0.1:1",
    )
    command = [sys.executable, "-c", REFUSE_EXECUTABLE_MEMORY, sys.executable, "-m", "bff", "serve"]
    with running("gateway", command, environment) as child:
        try:
            child.wait_until_ready(f"http://127.0.0.1:{port}/healthz")
        finally:
            if child.process.poll() == 77:
                leave_out("this kernel cannot refuse executable memory (Linux 6.3)")
