"""The session store: what its servers tell of themselves, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bff.check.findings import Finding, Level
from bff.check.store_checks import StoreChecks, StoreFindings
from bff.check.store_faults import store_fault
from bff.errors import StoreUnavailable
from bff.session.store import EndListener, SessionStore
from bff.settings import Settings
from bff.stores import hearing_trial
from bff.stores.inspection import ServerFacts, StoreFacts
from bff.stores.memory import MemoryStore
from bff.stores.redis_address import Topology
from tests.support.provider_settings import provider_settings
from tests.unit.check.facts import by_id, text_of, worse_than_good

PASSWORD = "password-of-the-store"
URL = f"rediss://:{PASSWORD}@redis:6379/0"
NOTE, DEGRADED, UNUSABLE = Level.NOTE, Level.DEGRADED, Level.UNUSABLE


def clock() -> float:
    return 1_800_000_000.0


def server(**changes: Any) -> ServerFacts:
    facts: dict[str, Any] = {
        "name": "redis:6379",
        "latency": 0.0004,
        "product": "Valkey",
        "version": "9.1.2",
        "clock_offset": 0.001,
        "max_memory": 2**30,
        "eviction": "noeviction",
        "keeps_log": True,
        "snapshots": False,
        "has_password": True,
    }
    return ServerFacts(**(facts | changes))


def store_facts(*servers: ServerFacts, **changes: Any) -> StoreFacts:
    facts: dict[str, Any] = {"topology": Topology.SERVER, "is_tls": True, "hosts": ("redis",)}
    return StoreFacts(servers=servers or (server(),), **(facts | changes))


class FullStore(MemoryStore):
    """Takes nothing new."""

    async def put(self, name: str, value: bytes, *, lifetime: float) -> None:
        raise StoreUnavailable("store.oom")


async def examined(
    facts: StoreFacts | StoreUnavailable,
    open_store: Callable[[Settings, Callable[[], float]], SessionStore] = lambda settings, clock: MemoryStore(clock),
) -> list[Finding]:
    async def inspect(url: str, *, ca_file: Path | None, clock: Callable[[], float]) -> StoreFacts:
        assert url == URL
        if isinstance(facts, StoreUnavailable):
            raise facts
        return facts

    found = StoreFindings()
    settings = provider_settings(redis_url=URL, secret_keys="k" * 32)
    await StoreChecks(settings, open_store=open_store, inspect=inspect, clock=clock).run(found)
    assert PASSWORD not in text_of(found.findings)
    return found.findings


async def test_a_store_without_fault_is_good_throughout() -> None:
    findings = await examined(store_facts())
    assert worse_than_good(findings) == {}
    assert by_id(findings)["store.server"].seen == "Valkey 9.1.2"
    assert "read in" in by_id(findings)["store.sessions"].seen


@pytest.mark.parametrize(
    "changes,found,level,words",
    [
        ({"latency": 0.3}, "reach", NOTE, "300.0 ms"),
        ({"product": None, "version": None}, "server", NOTE, "INFO"),
        ({"product": "Redis", "version": "6.0.16"}, "server", DEGRADED, "Redis 6.0.16"),
        ({"version": "\x1bodd"}, "server", DEGRADED, "?odd"),
        ({"eviction": None}, "eviction", NOTE, "noeviction"),
        ({"eviction": "allkeys-lru"}, "eviction", DEGRADED, "allkeys-lru"),
        ({"eviction": "volatile-ttl", "max_memory": None}, "eviction", DEGRADED, "forgets logouts"),
        ({"eviction": "volatile-lru", "max_memory": 0}, "eviction", NOTE, "not in force"),
        ({"keeps_log": False, "snapshots": True}, "persistence", NOTE, "ended since then are back"),
        ({"keeps_log": False, "snapshots": False}, "persistence", NOTE, "ends all sessions"),
        ({"keeps_log": False, "snapshots": None}, "persistence", NOTE, "does not tell"),
        ({"keeps_log": None}, "persistence", NOTE, "does not tell"),
        ({"clock_offset": 100.0}, "clock", DEGRADED, "100 s ahead"),
        ({"has_password": False}, "authentication", NOTE, "BFF_REDIS_URL_FILE"),
    ],
)
async def test_what_a_server_lacks_is_told_with_its_cure(
    changes: dict[str, Any], found: str, level: Level, words: str
) -> None:
    findings = await examined(store_facts(server(**changes)))
    assert worse_than_good(findings) == {f"store.{found}": level}
    finding = by_id(findings)[f"store.{found}"]
    assert words in f"{finding.seen} {finding.cure}"
    assert finding.variable == "BFF_REDIS_URL"


async def test_a_server_that_tells_no_time_is_not_judged_by_it() -> None:
    assert "store.clock" not in by_id(await examined(store_facts(server(clock_offset=None))))


@pytest.mark.parametrize("version", ["6.2.0", "7.4", "8.0.1"])
async def test_supported_versions_are_good(version: str) -> None:
    assert worse_than_good(await examined(store_facts(server(product="Redis", version=version)))) == {}


@pytest.mark.parametrize(
    "changes,levels",
    [
        ({"is_tls": False}, {"store.transport": NOTE}),
        ({"is_tls": False, "hosts": ("localhost", "127.0.0.1")}, {}),
        ({"is_tls": False, "topology": Topology.UNIX, "hosts": ("/run/redis.sock",)}, {}),
    ],
)
async def test_a_connection_over_a_network_wants_tls(changes: dict[str, Any], levels: dict[str, Level]) -> None:
    assert worse_than_good(await examined(store_facts(**changes))) == levels


async def test_a_server_on_this_machine_needs_no_password() -> None:
    facts = store_facts(server(has_password=False), is_tls=False, hosts=("127.0.0.1",))
    assert worse_than_good(await examined(facts)) == {}


async def test_sentinels_that_agree_are_good() -> None:
    facts = store_facts(topology=Topology.SENTINEL, masters=("redis:6379", "redis:6379"))
    finding = by_id(await examined(facts))["store.sentinels"]
    assert (finding.level, finding.seen) == (Level.GOOD, "All 2 Sentinels name redis:6379 as master")


@pytest.mark.parametrize(
    "changes,words",
    [
        ({"masters": ("a:1",), "unreachable": (("s2:26379", "store.timeout"),)}, "1 of 2 Sentinels"),
        ({"masters": ("a:1", "b:1")}, "2 opinions"),
        ({"masters": ("a:1", None)}, "2 opinions"),
    ],
)
async def test_sentinels_that_are_silent_or_disagree_are_told(changes: dict[str, Any], words: str) -> None:
    finding = by_id(await examined(store_facts(topology=Topology.SENTINEL, **changes)))["store.sentinels"]
    assert finding.level is DEGRADED
    assert words in finding.seen
    assert finding.cure is not None
    assert ("s2:26379 (store.timeout)" in finding.cure) is ("unreachable" in changes)


@pytest.mark.parametrize(
    "changes,level,words",
    [
        ({"slots": 16384}, Level.GOOD, "by 1 master"),
        ({"slots": 16384, "unreachable": (("b:1", "store.unreachable"),)}, DEGRADED, "b:1 (store.unreachable)"),
        ({"slots": 10923}, UNUSABLE, "10923 of 16384"),
        ({"slots": 10923, "unreachable": (("b:1", "store.unreachable"),)}, UNUSABLE, "silent: b:1"),
    ],
)
async def test_a_cluster_must_serve_all_slots(changes: dict[str, Any], level: Level, words: str) -> None:
    finding = by_id(await examined(store_facts(topology=Topology.CLUSTER, **changes)))["store.cluster"]
    assert finding.level is level
    assert words in f"{finding.seen} {finding.cure}"


async def test_a_store_that_cannot_be_had_leaves_one_finding() -> None:
    (finding,) = await examined(StoreUnavailable("store.unreachable"))
    assert (finding.id, finding.level, finding.variable) == ("store.reach", UNUSABLE, "BFF_REDIS_URL")
    assert "store.unreachable" in finding.seen


async def test_a_session_that_cannot_be_kept_makes_the_store_unusable_and_closes_it() -> None:
    stores: list[FullStore] = []

    def open_store(settings: Settings, clock: Callable[[], float]) -> SessionStore:
        stores.append(FullStore(clock))
        return stores[0]

    findings = await examined(store_facts(), open_store)
    assert worse_than_good(findings) == {"store.sessions": UNUSABLE}
    assert "“keep a value” (store.oom)" in by_id(findings)["store.sessions"].seen
    with pytest.raises(StoreUnavailable, match="closed"):
        await stores[0].ping()


class MuteStore(MemoryStore):
    """A store whose announcements do not come through: it says so, or it does not."""

    says_so = True

    def listen(self, listener: EndListener) -> None:
        if self.says_so:
            listener.deaf("store.noperm")
            listener.deaf("store.noperm")
        else:
            listener.hearing()
            listener.hearing()
            listener.session_ended("another", "logout")


class SilentStore(MuteStore):
    says_so = False


@pytest.mark.parametrize("kind, reason", [(MuteStore, "store.noperm"), (SilentStore, "store.timeout")])
async def test_a_store_that_does_not_announce_endings_is_degraded(
    kind: type[MuteStore], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing_trial, "_HEARING_TIMEOUT", 0.05)
    findings = await examined(store_facts(), lambda settings, clock: kind(clock))
    assert worse_than_good(findings) == {"store.endings": DEGRADED}
    assert f"({reason})" in by_id(findings)["store.endings"].seen


@pytest.mark.parametrize("public_url,level", [("http://localhost:8080", NOTE), ("https://app.example.com", DEGRADED)])
async def test_sessions_in_memory_are_for_a_developers_machine(public_url: str, level: Level) -> None:
    found = StoreFindings()
    settings = provider_settings(public_url=public_url)

    async def inspect(url: str, *, ca_file: Path | None, clock: Callable[[], float]) -> StoreFacts:
        raise AssertionError("there is nothing to ask")

    await StoreChecks(settings, open_store=lambda *_: MemoryStore(clock), inspect=inspect, clock=clock).run(found)
    assert worse_than_good(found.findings) == {"store.memory": level}


@pytest.mark.parametrize(
    "reason,variable,words",
    [
        ("store.tls", "BFF_CA_FILE", "BFF_CA_FILE"),
        ("store.noperm", "BFF_REDIS_URL", "docs/check.md"),
        ("store.moved", "BFF_REDIS_URL", "redis+cluster://"),
        ("store.refused", "BFF_REDIS_URL", "6.2 or later"),
    ],
)
def test_each_fault_names_variable_and_cure(reason: str, variable: str, words: str) -> None:
    finding = store_fault(reason, "store.reach")
    assert finding.variable == variable
    assert finding.cure is not None
    assert words in finding.cure
