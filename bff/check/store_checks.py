"""The session store: reach, a session's whole life, eviction, persistence, protection, clock."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from bff.check.clock_check import store_clock
from bff.check.findings import Finding, Level, counted, degraded, good, note, shown, unusable
from bff.check.store_faults import store_fault
from bff.errors import StoreUnavailable
from bff.session.store import SessionStore
from bff.settings import Settings
from bff.settings.urls import is_loopback
from bff.stores.hearing_trial import try_hearing
from bff.stores.inspection import SLOTS, ServerFacts, StoreFacts
from bff.stores.redis_address import Topology
from bff.stores.trial import TrialFailed, try_store

SLOW: Final = 0.05
"""Seconds of a round trip from which users notice it: each API call waits for one."""

OLDEST: Final = (6, 2)
_URL: Final = "BFF_REDIS_URL"


class Inspect(Protocol):
    """`bff.stores.inspection.inspect_store`."""

    async def __call__(self, url: str, *, ca_file: Path | None, clock: Callable[[], float]) -> StoreFacts: ...


@dataclass
class StoreFindings:
    """What was found."""

    findings: list[Finding] = field(default_factory=list)


class StoreChecks:
    """Examines the store of the settings; `open_store` and `inspect` are those of `bff.stores`."""

    def __init__(
        self,
        settings: Settings,
        *,
        open_store: Callable[[Settings, Callable[[], float]], SessionStore],
        inspect: Inspect,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._open_store = open_store
        self._inspect = inspect
        self._clock = clock

    async def run(self, found: StoreFindings) -> None:
        """Add all that is found to `found`, as it is found."""
        url = self._settings.redis_url
        if url is None:
            found.findings.append(_memory(self._settings))
            return
        try:
            facts = await self._inspect(url.reveal(), ca_file=self._settings.ca_file, clock=self._clock)
        except StoreUnavailable as error:
            found.findings.append(store_fault(error.reason, "store.reach"))
            return
        for server in facts.servers:
            found.findings.extend(_server(server))
        found.findings.extend(_topology(facts))
        found.findings.extend(_protection(facts))
        trial = await self._trial()
        found.findings.append(trial)
        if trial.level is Level.GOOD:
            found.findings.append(await self._hearing())

    async def _trial(self) -> Finding:
        store = self._open_store(self._settings, self._clock)
        try:
            seconds = await try_store(store, clock=self._clock)
        except TrialFailed as failure:
            return store_fault(failure.reason, "store.sessions", step=failure.step)
        finally:
            await asyncio.shield(store.close())
        seen = f"A session was written, read in {1000 * seconds:.1f} ms, replaced, extended, listed and ended"
        return good("store.sessions", _URL, seen)

    async def _hearing(self) -> Finding:
        store = self._open_store(self._settings, self._clock)
        try:
            await try_hearing(store, clock=self._clock)
        except StoreUnavailable as error:
            seen = f"Announcements do not come through ({error.reason}): sessions of open streams are read all the time"
            cure = "Allow PUBLISH and SUBSCRIBE on channels bff:* to the user of BFF_REDIS_URL (docs/check.md)"
            return degraded("store.endings", _URL, seen, cure)
        finally:
            await asyncio.shield(store.close())
        return good("store.endings", _URL, "An instance that ends a session is heard by the others at once")


def _memory(settings: Settings) -> Finding:
    seen = "Sessions are in this process's memory: a restart ends them all, and a second instance does not know them"
    kind = degraded if settings.public_url.is_secure else note
    return kind("store.memory", _URL, seen, "Set BFF_REDIS_URL, except on a developer's machine")


def _server(facts: ServerFacts) -> Iterator[Finding]:
    yield _reach(facts)
    yield _version(facts)
    yield _eviction(facts)
    yield _persistence(facts)
    if facts.clock_offset is not None:
        yield store_clock(facts.clock_offset, facts.name)


def _reach(facts: ServerFacts) -> Finding:
    seen = f"Answers in {1000 * facts.latency:.1f} ms"
    if facts.latency > SLOW:
        cure = "Have it nearer to the gateway: each API call waits for one round trip"
        return note("store.reach", _URL, seen, cure, subject=facts.name)
    return good("store.reach", _URL, seen, subject=facts.name)


def _version(facts: ServerFacts) -> Finding:
    where = ("store.server", _URL)
    if facts.product is None or facts.version is None:
        return note(
            *(*where, "The server does not tell its version"),
            "Make sure it is Redis or Valkey 6.2 or later; allow INFO to have it checked",
            subject=facts.name,
        )
    seen = f"{facts.product} {shown(facts.version)}"
    numbers = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", facts.version)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST:
        return degraded(*where, f"{seen}, which is not supported", "Use 6.2 or later", subject=facts.name)
    return good(*where, seen, subject=facts.name)


def _eviction(facts: ServerFacts) -> Finding:
    where = ("store.eviction", _URL)
    if facts.eviction is None:
        return note(
            *(*where, "The server does not tell what it does when its memory is full"),
            "Make sure that maxmemory-policy is noeviction",
            subject=facts.name,
        )
    if facts.eviction == "noeviction":
        return good(*where, "Full memory refuses logins and ends no session (noeviction)", subject=facts.name)
    cure = "Set maxmemory-policy to noeviction on the server, and watch its memory"
    seen = f"maxmemory-policy is {shown(facts.eviction)}"
    if facts.max_memory == 0:
        return note(*where, f"{seen}, not in force while maxmemory is 0", cure, subject=facts.name)
    return degraded(
        *(*where, f"{seen}: full memory logs users out, and forgets logouts"),
        cure,
        subject=facts.name,
    )


def _persistence(facts: ServerFacts) -> Finding:
    where = ("store.persistence", _URL)
    if facts.keeps_log:
        return good(*where, "Sessions survive a restart of the server (append-only file)", subject=facts.name)
    if facts.keeps_log is None or facts.snapshots is None:
        return note(
            *(*where, "The server does not tell what it keeps over a restart"),
            "Make sure that appendonly is yes, or that nothing is kept",
            subject=facts.name,
        )
    if facts.snapshots:
        return note(
            *(*where, "After a crash the server is as at its last snapshot: sessions ended since then are back"),
            "Set appendonly yes; or save \"\", then a restart ends all sessions",
            subject=facts.name,
        )  # fmt: skip
    return note(
        *(*where, "Nothing is kept: a restart of the server ends all sessions"),
        "Set appendonly yes if that is not wanted",
        subject=facts.name,
    )


def _topology(facts: StoreFacts) -> Iterator[Finding]:
    if facts.topology is Topology.SENTINEL:
        yield _sentinels(facts)
    elif facts.topology is Topology.CLUSTER:
        yield _cluster(facts)


def _sentinels(facts: StoreFacts) -> Finding:
    asked, answered = len(facts.masters) + len(facts.unreachable), len(facts.masters)
    if facts.unreachable or len(set(facts.masters)) != 1:
        silent = ", ".join(f"{name} ({reason})" for name, reason in facts.unreachable) or "none is silent"
        return degraded(
            *(
                "store.sentinels",
                _URL,
                f"{answered} of {asked} Sentinels answer, {counted(len(set(facts.masters)), 'opinion')}",
            ),
            f"Start or reach the others, and have all watch the same master; silent: {silent}",
        )
    return good("store.sentinels", _URL, f"All {asked} Sentinels name {facts.masters[0]} as master")


def _cluster(facts: StoreFacts) -> Finding:
    where = ("store.cluster", _URL)
    silent = ", ".join(f"{name} ({reason})" for name, reason in facts.unreachable)
    if facts.slots != SLOTS or not facts.servers:
        return unusable(
            *(*where, f"{facts.slots} of {SLOTS} slots are served: sessions on the others cannot be read"),
            f"Mend the cluster (CLUSTER INFO){f'; silent: {silent}' if silent else ''}",
        )
    if silent:
        return degraded(
            *(*where, f"Not every node can be reached: {silent}"), "Start them, or remove them from BFF_REDIS_URL"
        )
    return good(*where, f"All {SLOTS} slots are served, by {counted(len(facts.servers), 'master')}")


def _protection(facts: StoreFacts) -> Iterator[Finding]:
    is_near = facts.topology is Topology.UNIX or all(is_loopback(host) for host in facts.hosts)
    if facts.is_tls or is_near:
        how = "TLS, its certificate verified" if facts.is_tls else "this machine alone"
        yield good("store.transport", _URL, f"The connection is protected: {how}")
    else:
        yield note(
            *(
                "store.transport",
                _URL,
                "The connection is not encrypted: who listens could end sessions, not read them",
            ),
            "Use rediss:// with BFF_CA_FILE, or keep the network to the gateway and the store",
        )
    if all(server.has_password for server in facts.servers):
        yield good("store.authentication", _URL, "The gateway gives a password")
    elif is_near:
        yield good("store.authentication", _URL, "The gateway gives no password, at a server on this machine")
    else:
        yield note(
            *("store.authentication", _URL, "The gateway gives no password: who reaches the server can end sessions"),
            "Give the gateway a user of its own with a password, in BFF_REDIS_URL_FILE",
        )
