"""The gateway's access log, read while it runs: what has reached it, and how it answered."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass

import httpx2

from tests.support.processes import GatewayServer

PATIENCE = 60.0
POLL = 0.05

_marks = itertools.count(1)


@dataclass(frozen=True)
class AccessLine:
    """One request as the gateway saw it; `code` is None if it refused nothing."""

    method: str
    path: str
    status: int
    code: str | None

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status} {self.code or ''}".rstrip()


class AccessLines:
    """The requests since the last `forget`."""

    def __init__(self, gateway: GatewayServer) -> None:
        self._gateway = gateway
        self._offset = 0

    def forget(self) -> None:
        """Begin here."""
        self._until_now()
        self._offset = self._gateway.log_path.stat().st_size

    def all(self) -> list[AccessLine]:
        """Return the requests that were answered by now."""
        return [line for line in self._until_now() if not line.path.startswith("/bff/mark-")]

    def wait_for(self, method: str, path: str) -> AccessLine:
        """Return the first such request, which may still be under way."""
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = self._written()
            for line in seen:
                if (line.method, line.path) == (method, path):
                    return line
            if time.monotonic() >= deadline:
                raise AssertionError(f"{method} {path} did not reach the gateway, but did: {[*map(str, seen)]}")
            time.sleep(POLL)

    def _until_now(self) -> list[AccessLine]:
        """Return all lines before that of a request made now; lines wait for a moment before they are written."""
        mark = f"/bff/mark-{next(_marks)}"
        httpx2.get(f"{self._gateway.url}{mark}", trust_env=False)
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = self._written()
            if any(line.path == mark for line in seen):
                return seen
            assert time.monotonic() < deadline, "The gateway writes no access log."
            time.sleep(POLL)

    def _written(self) -> list[AccessLine]:
        with self._gateway.log_path.open("rb") as log:
            log.seek(self._offset)
            complete, _, _ = log.read().rpartition(b"\n")
        entries = [json.loads(line) for line in complete.splitlines() if line.startswith(b"{")]
        return [
            AccessLine(entry["method"], entry["path"], entry["status"], entry.get("code"))
            for entry in entries
            if entry.get("event") == "request"
        ]
