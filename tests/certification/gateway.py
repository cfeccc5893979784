"""`bff serve` as a process of its own, configured by the environment alone."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

import httpx2

from .suite import trust_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

START_SECONDS = 120
STOP_SECONDS = 15


class GatewayError(Exception):
    """The gateway process did not start, or ended before its time."""


class Gateway:
    """A running gateway; its output goes to `log_file`."""

    def __init__(self, command: str | None, settings: Mapping[str, str], *, ca_file: Path, log_file: Path) -> None:
        self.public_url = settings["BFF_PUBLIC_URL"]
        self._workers = int(settings.get("BFF_WORKERS", "1"))
        self._command = shlex.split(command) if command else [sys.executable, "-m", "bff", "serve"]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BFF_")}
        self._environment = {**inherited, **settings}
        self._log_file = log_file
        self._client = httpx2.Client(base_url=self.public_url, verify=trust_in(ca_file), trust_env=False, timeout=10.0)

    def __enter__(self) -> Self:
        with self._log_file.open("wb") as output:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            self._wait_until_alive()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def readiness(self) -> tuple[int, str]:
        """Status and body of `/readyz`."""
        status, body, _ = self._readiness()
        return status, body

    def wait_until_ready(self) -> None:
        """Wait for `/readyz` to be 200 in every process; GatewayError with its last answer when it stays otherwise.

        A process that fetches the metadata later than the suite expects would fail a module that is over by then.
        """
        deadline = time.monotonic() + START_SECONDS
        ready: set[str] = set()
        while len(ready) < self._workers:
            status, body, process = self._readiness()
            if status == 200:
                ready.add(process)
            if time.monotonic() > deadline:
                raise GatewayError(f"not ready after {START_SECONDS} s: {(status, body)}, {len(ready)} processes are")
            time.sleep(0.1 if status != 200 else 0)

    def _readiness(self) -> tuple[int, str, str]:
        response = self._client.get("/readyz")
        # The first half of an identifier is drawn by each process for itself.
        return response.status_code, response.text[:300], response.headers["x-request-id"][:12]

    def stop(self) -> None:
        """End the process; GatewayError when it has to be killed."""
        self._client.close()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise GatewayError(f"did not stop within {STOP_SECONDS} s of SIGTERM") from None

    def _wait_until_alive(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            if self._process.poll() is not None:
                output = self._log_file.read_text(errors="replace")[-2000:]
                raise GatewayError(f"ended with status {self._process.returncode}:\n{output}")
            try:
                if self._client.get("/healthz").status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            if time.monotonic() > deadline:
                raise GatewayError(f"{self.public_url}/healthz did not answer 200 in {START_SECONDS} s")
            time.sleep(0.1)
