"""A server run as a child process: started, awaited, watched, and surely ended."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

READY_TIMEOUT = 60.0
STOP_TIMEOUT = 8.0
POLL_INTERVAL = 0.05
SHOWN_LINES = 40


class ChildError(Exception):
    """A child died or did not become ready; the message holds the end of its output."""


class Child:
    """One server process in a process group of its own, its output in a file."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log_path: Path) -> None:
        self.name = name
        self.log_path = log_path
        self._command = list(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process; raises `ChildError` before the start."""
        if self._process is None:
            raise ChildError(f"{self.name} was not started.")
        return self._process

    def start(self) -> None:
        """Start the process; a terminal's Ctrl-C does not reach it, so that its parent decides the order."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (the command is the launcher's own)
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(
        self, url: str, *, timeout: float = READY_TIMEOUT, stopping: threading.Event | None = None
    ) -> None:
        """Return when `url` answers 200, or when `stopping` is set; raises `ChildError` after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with httpx2.Client(trust_env=False, timeout=2.0) as client:
            while stopping is None or not stopping.is_set():
                self.check_alive()
                with contextlib.suppress(httpx2.HTTPError):
                    if client.get(url).status_code == httpx2.codes.OK:
                        return
                if time.monotonic() >= deadline:
                    raise ChildError(f"{self.name} is not ready after {timeout:.0f} s.\n{self.output_end()}")
                time.sleep(POLL_INTERVAL)

    def check_alive(self) -> None:
        """Raise `ChildError` if the process has ended."""
        status = self.process.poll()
        if status is not None:
            raise ChildError(f"{self.name} ended with status {status}.\n{self.output_end()}")

    def stop(self, timeout: float = STOP_TIMEOUT) -> int:
        """Ask the process to end, kill what is left of its group after `timeout` seconds; its exit status."""
        process = self.process
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout)
        return self.kill()

    def kill(self) -> int:
        """Kill the whole process group at once; the exit status."""
        process = self.process
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def output(self) -> str:
        """All the process has written so far."""
        return self.log_path.read_text(errors="replace")

    def output_end(self) -> str:
        """The last lines of the output, for an error message."""
        lines = self.output().splitlines()[-SHOWN_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (it wrote nothing)"


def free_port(preferred: int = 0, host: str = "127.0.0.1") -> int:
    """`preferred` if nothing listens there, else a port the system picks."""
    for candidate in dict.fromkeys((preferred, 0)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            return port
    raise ChildError(f"No free port on {host}.")


def clean_environment(**variables: str) -> dict[str, str]:
    """This process's environment without settings meant for another gateway and without proxies."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("BFF_") and not name.lower().endswith("_proxy")
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **variables}
