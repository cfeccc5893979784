"""What `bff check` asks Redis about itself; no question here is needed in operation, so each may be refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis import exceptions

from bff.errors import StoreUnavailable
from bff.stores.redis_address import RedisAddress, Topology, parse_redis_address
from bff.stores.redis_connections import OpenConnection, connection_options, open_connection
from bff.stores.redis_faults import FOREIGN_ERRORS, NO_MASTER, PROTOCOL, reason_of

SERVER_LIMIT: Final = 5.0
"""Seconds for all that one server is asked."""

SLOTS: Final = 16384
_PINGS: Final = 3

Host = tuple[str, int]
Reply = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """One data server; None wherever it did not tell. `latency` and `clock_offset` (its clock ahead) in seconds."""

    name: str
    latency: float
    product: str | None = None
    version: str | None = None
    clock_offset: float | None = None
    max_memory: int | None = None
    eviction: str | None = None
    keeps_log: bool | None = None
    snapshots: bool | None = None
    has_password: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """The servers behind the URL; `unreachable` are names with reasons, `slots` what a cluster serves of `SLOTS`.

    `masters` are what Sentinels named: one entry for each that answered, None where it knew none.
    """

    topology: Topology
    is_tls: bool
    hosts: tuple[str, ...]
    servers: tuple[ServerFacts, ...] = ()
    unreachable: tuple[tuple[str, str], ...] = ()
    slots: int | None = None
    masters: tuple[str | None, ...] = ()


async def inspect_store(url: str, *, ca_file: Path | None, clock: Callable[[], float]) -> StoreFacts:
    """Return what can be learnt; raises `StoreUnavailable` only if no way leads to a data server.

    `clock` gives seconds since the epoch. Nothing is written. Raises `ValueError` for a URL that cannot be used.
    """
    inspection = _Inspection(parse_redis_address(url), ca_file, clock)
    try:
        return await inspection.run()
    except FOREIGN_ERRORS as error:
        raise StoreUnavailable(reason_of(error)) from None
    except (ValueError, TypeError, IndexError):
        # What answers there is no Redis, or a very strange one.
        raise StoreUnavailable(PROTOCOL) from None


class _Inspection:
    def __init__(self, address: RedisAddress, ca_file: Path | None, clock: Callable[[], float]) -> None:
        self._address = address
        self._clock = clock
        self._options = connection_options(address, ca_file)

    async def run(self) -> StoreFacts:
        address = self._address
        if address.topology is Topology.CLUSTER:
            return await self._cluster()
        if address.topology is Topology.SENTINEL:
            return await self._sentinels()
        server = await self._server(None if address.topology is Topology.UNIX else address.hosts[0])
        return self._facts(servers=(server,))

    def _facts(self, **facts: Any) -> StoreFacts:
        address = self._address
        hosts = (address.path,) if address.topology is Topology.UNIX else tuple(host for host, _ in address.hosts)
        return StoreFacts(topology=address.topology, is_tls=address.is_tls, hosts=hosts, **facts)

    async def _sentinels(self) -> StoreFacts:
        answers = await asyncio.gather(*(self._master_of(host) for host in self._address.hosts), return_exceptions=True)
        unreachable = _failures(self._address.hosts, answers)
        named = [answer for answer in answers if not isinstance(answer, BaseException)]
        master = next((host for host in named if host is not None), None)
        if master is None:
            raise StoreUnavailable(NO_MASTER)
        return self._facts(
            servers=(await self._server(master),),
            unreachable=unreachable,
            masters=tuple(None if host is None else _name(host) for host in named),
        )

    async def _master_of(self, sentinel: Host) -> Host | None:
        address = self._address
        credentials = {"username": address.sentinel_username, "password": address.sentinel_password, "db": 0}
        command = ("SENTINEL", "get-master-addr-by-name", address.service)
        async with asyncio.timeout(SERVER_LIMIT):
            connection = await open_connection(self._options | credentials | _where(sentinel))
            try:
                reply = await _ask(connection, *command)
            finally:
                await connection.disconnect(nowait=True)
        return None if reply is None else (reply[0].decode(), int(reply[1]))

    async def _cluster(self) -> StoreFacts:
        seeds = self._address.hosts
        answers = await asyncio.gather(*(self._ranges(host) for host in seeds), return_exceptions=True)
        ranges = next((answer for answer in answers if not isinstance(answer, BaseException)), None)
        if ranges is None:
            assert isinstance(answers[0], BaseException)
            raise answers[0]
        masters = sorted({host for host, _ in ranges})
        servers = await asyncio.gather(*(self._server(host) for host in masters), return_exceptions=True)
        return self._facts(
            servers=tuple(server for server in servers if isinstance(server, ServerFacts)),
            unreachable=tuple(dict.fromkeys(_failures(seeds, answers) + _failures(masters, servers))),
            slots=sum(count for _, count in ranges),
        )

    async def _ranges(self, seed: Host) -> list[tuple[Host, int]]:
        """Return who serves how many slots."""
        async with asyncio.timeout(SERVER_LIMIT):
            connection = await open_connection(self._options | _where(seed))
            try:
                slots = await _ask(connection, "CLUSTER", "SLOTS")
            finally:
                await connection.disconnect(nowait=True)
        # An address left out means the one that was asked.
        return [
            (((master[0] or b"").decode() or seed[0], int(master[1])), last - first + 1)
            for first, last, master, *_ in slots
        ]

    async def _server(self, host: Host | None) -> ServerFacts:
        where = {"path": self._address.path} if host is None else _where(host)
        async with asyncio.timeout(SERVER_LIMIT):
            connection = await open_connection(self._options | where)
            try:
                return await self._asked(connection, self._address.path if host is None else _name(host))
            finally:
                await connection.disconnect(nowait=True)

    async def _asked(self, connection: OpenConnection, name: str) -> ServerFacts:
        info = _fields(await _try(connection, "INFO"))
        settings = {word: await _setting(connection, word) for word in ("save", "maxmemory", "maxmemory-policy")}
        is_valkey = "valkey_version" in info
        log, memory = info.get("aof_enabled"), info.get("maxmemory", settings["maxmemory"])
        return ServerFacts(
            name=name,
            latency=min([await _latency(connection) for _ in range(_PINGS)]),
            product=("Valkey" if is_valkey else "Redis") if info else None,
            version=info.get("valkey_version", info.get("redis_version")),
            clock_offset=await self._clock_offset(connection),
            max_memory=int(memory) if memory is not None and memory.isdecimal() else None,
            eviction=info.get("maxmemory_policy", settings["maxmemory-policy"]),
            keeps_log=None if log is None else log == "1",
            snapshots=None if settings["save"] is None else settings["save"] != "",
            has_password=self._address.password is not None,
        )

    async def _clock_offset(self, connection: OpenConnection) -> float | None:
        sent_at = self._clock()
        reply = await _try(connection, "TIME")
        if reply is None:
            return None
        return float(int(reply[0]) + int(reply[1]) / 1_000_000 - (sent_at + self._clock()) / 2)


async def _ask(connection: OpenConnection, *command: str) -> Reply:
    await connection.send_command(*command)
    return await connection.read_response()


async def _try(connection: OpenConnection, *command: str) -> Reply | None:
    """Return the reply, None if the server does not know the command or does not allow it to this user."""
    try:
        return await _ask(connection, *command)
    except exceptions.ResponseError:
        return None


async def _setting(connection: OpenConnection, name: str) -> str | None:
    reply = await _try(connection, "CONFIG", "GET", name)
    return _text(reply[1]) if reply else None


async def _latency(connection: OpenConnection) -> float:
    sent_at = time.perf_counter()
    await _try(connection, "PING")
    return time.perf_counter() - sent_at


def _fields(reply: bytes | None) -> Mapping[str, str]:
    lines = _text(reply or b"").splitlines()
    return {name: value for name, _, value in (line.partition(":") for line in lines if ":" in line)}


def _text(reply: bytes) -> str:
    return reply.decode("utf-8", "replace")


def _where(host: Host) -> dict[str, Any]:
    return {"host": host[0], "port": host[1]}


def _name(host: Host) -> str:
    return f"[{host[0]}]:{host[1]}" if ":" in host[0] else f"{host[0]}:{host[1]}"


def _failures(hosts: Any, answers: Any) -> tuple[tuple[str, str], ...]:
    """Return the names of those that failed; raises what no server is to blame for."""
    failed = [(host, answer) for host, answer in zip(hosts, answers, strict=True) if isinstance(answer, BaseException)]
    for _, error in failed:
        if not isinstance(error, FOREIGN_ERRORS):
            raise error
    return tuple((_name(host), reason_of(error)) for host, error in failed)
