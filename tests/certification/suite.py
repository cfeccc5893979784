"""The conformance suite's API: plans, running tests, results."""

from __future__ import annotations

import dataclasses
import json
import ssl
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx2

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

POLL_INTERVAL = 0.1
STARTS = 60
OVERTAKEN = "Illegal test state change: CREATED -> RUNNING"
"""What the suite says of itself when a module's own thread was faster than its set-up; another start may do."""
SETTLING_SECONDS = 0.3

ENDED = ("FINISHED", "INTERRUPTED")


class SuiteError(Exception):
    """The suite refused a call, or a test of it never got ready."""


@dataclasses.dataclass(frozen=True, slots=True)
class PlannedModule:
    name: str
    variant: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A log entry that is not a success."""

    result: str
    source: str
    message: str
    requirements: tuple[str, ...]


class Suite:
    """A suite that needs no login (its developer mode)."""

    def __init__(self, url: str, trust: ssl.SSLContext) -> None:
        self.url = url.rstrip("/")
        self._client = httpx2.Client(base_url=self.url, verify=trust, trust_env=False, timeout=60.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def version(self) -> str:
        server = self.call("GET", "/api/server")
        return f"{server.get('version', 'unknown')}, revision {server.get('revision', 'unknown')}"

    def create_plan(
        self, name: str, variant: Mapping[str, str], configuration: Mapping[str, Any]
    ) -> tuple[str, list[PlannedModule]]:
        """The new plan's identifier and its modules in the suite's order."""
        plan = self.call(
            "POST",
            "/api/plan",
            params={"planName": name, "variant": json.dumps(variant)},
            json=configuration,
        )
        modules = [PlannedModule(entry["testModule"], entry["variant"] or {}) for entry in plan["modules"]]
        return plan["id"], modules

    def start_test(self, plan: str, module: PlannedModule) -> RunningTest:
        """Start a module and wait until it takes requests; SuiteError when its set-up fails."""
        parameters = {"test": module.name, "plan": plan, "variant": json.dumps(dict(module.variant))}
        for _ in range(STARTS):
            test = RunningTest(self, self.call("POST", "/api/runner", params=parameters)["id"])
            status = test.wait_for(("WAITING", *ENDED), seconds=30)
            time.sleep(SETTLING_SECONDS)
            if status == "WAITING" and (status := test.status()) == "WAITING":
                return test
            reasons = "; ".join(f"{finding.source}: {finding.message}" for finding in test.findings())
            if OVERTAKEN not in reasons:
                break
        raise SuiteError(f"{module.name} is {status} instead of WAITING. {reasons}")

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            response = self._client.request(method, path, **arguments)
        except httpx2.TransportError as error:
            raise SuiteError(f"{self.url} does not answer: {error}") from error
        if response.is_error:
            raise SuiteError(f"{method} {path} was answered {response.status_code}: {response.text[:500]}")
        return response.json() if response.content else None


class RunningTest:
    """One started module."""

    def __init__(self, suite: Suite, identifier: str) -> None:
        self._suite = suite
        self.identifier = identifier

    @property
    def log_url(self) -> str:
        return f"{self._suite.url}/log-detail.html?log={self.identifier}"

    def exposed(self) -> dict[str, str]:
        """What the suite wants the client to know, `issuer` above all."""
        values: dict[str, str] = self._suite.call("GET", f"/api/runner/{self.identifier}")["exposed"]
        return values

    def pages_to_visit(self) -> list[str]:
        """The pages that the suite wants a person to open."""
        pages: list[str] = self._suite.call("GET", f"/api/runner/{self.identifier}")["browser"]["urls"]
        return pages

    def say_visited(self, page: str) -> None:
        """Tell the suite that the page is about to be opened."""
        self._suite.call("POST", f"/api/runner/browser/{self.identifier}/visit", params={"url": page})

    def status(self) -> str:
        return str(self._info().get("status"))

    def result(self) -> str:
        return str(self._info().get("result"))

    def wait_for(self, statuses: tuple[str, ...], *, seconds: float) -> str:
        """The status once it is one of `statuses`, or the last one seen when time is up."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            if status in statuses or time.monotonic() > deadline:
                return status
            time.sleep(POLL_INTERVAL)

    def requests(self) -> list[str]:
        """The paths below the issuer that were asked for, in order, as `METHOD path`."""
        return [
            f"{entry['incoming_method']} {entry['incoming_path'].rpartition('/')[2]}"
            for entry in self._log()
            if entry.get("http") == "incoming"
        ]

    def findings(self) -> list[Finding]:
        return [
            Finding(
                result=entry["result"],
                source=entry.get("src", ""),
                message=entry.get("msg", ""),
                requirements=tuple(entry.get("requirements", ())),
            )
            for entry in self._log()
            if entry.get("result") in {"FAILURE", "WARNING", "INTERRUPTED"}
        ]

    def cancel(self) -> None:
        """End the test if it still runs."""
        if self.status() not in ENDED:
            self._suite.call("DELETE", f"/api/runner/{self.identifier}")

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = self._suite.call("GET", f"/api/info/{self.identifier}")
        return info

    def _log(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self._suite.call("GET", f"/api/log/{self.identifier}")
        return entries


def fetch_certificate(url: str) -> str:
    """The PEM certificate a suite on this machine presents; SuiteError for any other address.

    It is trusted without proof, which is acceptable on the loopback interface alone.
    """
    parts = urlsplit(url)
    if parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise SuiteError(f"{url} is not on this machine: give its certificate with --ca-file")
    try:
        return ssl.get_server_certificate((parts.hostname, parts.port or 443), timeout=10)
    except OSError as error:
        raise SuiteError(f"{url} does not answer: {error}") from error


def trust_in(ca_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file))
