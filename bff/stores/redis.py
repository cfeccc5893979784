"""Sessions in Redis or Valkey (6.2 or later): one server, a unix socket, Sentinel or Cluster.

Every command is safe to repeat (see `bff.stores.redis_scripts`), so one that meets a dead connection is tried once
more on a fresh one. A command that has begun is carried to its end, even if its caller is cancelled: a logout is not
undone by a browser that leaves, and a connection never returns to the pool with half a reply on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from redis import exceptions

from bff.errors import StoreUnavailable
from bff.session.store import EndListener, StoredSession, Tombstone, Waiter
from bff.stores.circuit import Circuit
from bff.stores.redis_address import Topology, parse_redis_address
from bff.stores.redis_cluster import RedisClusterServers
from bff.stores.redis_connections import MAXIMUM_CONNECTIONS, OPERATION_TIMEOUT, OpenConnection
from bff.stores.redis_faults import (
    BUSY,
    CIRCUIT_OPEN,
    CLOSED,
    FOREIGN_ERRORS,
    READONLY,
    UNREACHABLE,
    is_silence,
    reason_of,
)
from bff.stores.redis_scripts import (
    END,
    ENDED,
    LIST,
    RELEASE,
    TAKE,
    TOUCH,
    UPDATE,
    Script,
    decode_ended,
    encode_ending,
    encode_session,
    encode_tombstone,
    encode_version,
    milliseconds,
)
from bff.stores.redis_server import RedisServer
from bff.stores.redis_subscription import Subscription

QUEUE_TIMEOUT: Final = 2.0
"""Seconds a command waits for a free connection at most."""

Argument = str | bytes | int


class Servers(Protocol):
    """One server or a cluster of them."""

    def circuit(self, key: str) -> Circuit:
        """Return the circuit of the server this key is on."""
        ...

    async def execute(self, *command: Argument) -> Any:
        """Return the reply to a command; raises what redis-py raises."""
        ...

    def read(self, key: str, waiter: Waiter) -> None:
        """Let the waiter have what is stored under the key."""
        ...

    async def connect(self) -> OpenConnection:
        """Return a connection for whoever asks to keep; raises what redis-py raises."""
        ...

    def trust(self, ca_file: Path) -> None:
        """Trust the authorities of the file too; raises `OSError` for one that cannot be used."""
        ...

    async def renew(self) -> None:
        """Drop all idle connections."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class RedisStore:
    """The session store of all instances together; `namespace` sets this application's keys apart from others'.

    `clock` gives seconds since the epoch. Raises `ValueError` for a URL that cannot be used.
    """

    def __init__(self, url: str, *, namespace: str, ca_file: Path | None = None, clock: Callable[[], float]) -> None:
        address = parse_redis_address(url)
        self._prefix = f"{namespace}:"
        self._clock = clock
        kind = RedisClusterServers if address.topology is Topology.CLUSTER else RedisServer
        self._servers: Servers = kind(address, prefix=self._prefix, ca_file=ca_file)
        self._connections = asyncio.Semaphore(MAXIMUM_CONNECTIONS)
        self._commands: set[asyncio.Task[Any]] = set()
        self._channel = f"{self._prefix}ended"
        self._subscription: Subscription | None = None
        self._is_closed = False

    def trust(self, ca_file: Path) -> None:
        """Trust the authorities of the file too where connections are opened from now on; raises `OSError`."""
        self._servers.trust(ca_file)

    def read(self, key: str) -> asyncio.Future[StoredSession | Tombstone | None]:
        """Return a future of the record; it joins the next flight."""
        future: asyncio.Future[StoredSession | Tombstone | None] = asyncio.get_running_loop().create_future()
        self.read_for(key, future)
        return future

    def read_for(self, key: str, waiter: Waiter) -> None:
        """Let the waiter have the record; it joins the next flight."""
        if self._is_closed:
            waiter.set_exception(StoreUnavailable(CLOSED))
        else:
            self._servers.read(key, waiter)

    async def create(
        self,
        key: str,
        sealed: bytes,
        *,
        touched_at: float,
        lifetime: float,
        indexes: Sequence[str],
        index_lifetime: float,
    ) -> None:
        """Write a new record; raises `StoreUnavailable` also if the key is taken, which random keys never are."""
        if not await self._run(TAKE, key, encode_session(touched_at, sealed), milliseconds(lifetime)):
            raise StoreUnavailable("store.key_taken")
        now = self._clock()
        expires_at = milliseconds(now + index_lifetime)
        for index in indexes:
            await self._run(LIST, index, expires_at, key, milliseconds(now), milliseconds(index_lifetime))

    async def update(self, key: str, sealed: bytes, *, version: int) -> bool:
        """Replace the sealed record if it still has this version."""
        if version < 1:
            return False
        return await self._run(UPDATE, key, encode_version(version), encode_version(version + 1), sealed)

    async def touch(self, key: str, *, touched_at: float, lifetime: float) -> bool:
        """Set when the session was last used and how long it lives from now."""
        encoded = encode_version(milliseconds(touched_at))
        return await self._run(TOUCH, key, ENDED, encoded, milliseconds(lifetime))

    async def end(self, key: str, *, reason: str, lifetime: float) -> StoredSession | None:
        """Replace a live record by a tombstone, and announce it."""
        tombstone, ending = encode_tombstone(reason), encode_ending(key, reason)
        arguments = (ENDED, tombstone, milliseconds(lifetime), self._channel, ending)
        found: bytes | None = await self._command(END, key, *arguments)
        return None if found is None else decode_ended(found)

    async def end_indexed(self, index: str, *, reason: str, lifetime: float) -> int:
        """End every session listed under the index.

        Only what was read from the index is taken off it: a login in the meantime stays listed.
        """
        now = milliseconds(self._clock())
        listed: list[bytes] = await self._command("ZRANGEBYSCORE", index, f"({now}", "+inf")
        keys = [key.decode("ascii") for key in listed]
        ended = [await self.end(key, reason=reason, lifetime=lifetime) for key in keys]
        if keys:
            await self._command("ZREM", index, *keys)
        return sum(session is not None for session in ended)

    def listen(self, listener: EndListener) -> None:
        """Tell the listener of every ending."""
        self._subscription = Subscription(self._servers.connect, self._channel, listener)

    async def put(self, name: str, value: bytes, *, lifetime: float) -> None:
        """Keep a small value."""
        await self._command("SET", name, value, "PX", milliseconds(lifetime))

    async def get(self, name: str) -> bytes | None:
        """Return a small value."""
        value: bytes | None = await self._command("GET", name)
        return value

    async def acquire(self, name: str, *, owner: str, lifetime: float) -> bool:
        """Take a lease."""
        return await self._run(TAKE, name, owner, milliseconds(lifetime))

    async def release(self, name: str, *, owner: str) -> None:
        """Give a lease back."""
        await self._run(RELEASE, name, owner)

    async def ping(self) -> None:
        """Return if the server answers (on a cluster, one of them)."""
        await self._command("EXISTS", "ping")

    async def close(self) -> None:
        """Let commands under way finish, then close all connections."""
        self._is_closed = True
        if self._subscription is not None:
            await self._subscription.close()
        if self._commands:
            await asyncio.wait(list(self._commands))
        await self._servers.close()

    # --- carrying out a command ---

    async def _run(self, script: Script, key: str, *arguments: Argument) -> bool:
        return bool(await self._command(script, key, *arguments))

    async def _command(self, what: str | Script, key: str, *arguments: Argument) -> Any:
        if self._is_closed:
            raise StoreUnavailable(CLOSED)
        circuit = self._servers.circuit(key)
        if not circuit.allows():
            raise StoreUnavailable(CIRCUIT_OPEN)
        name = self._prefix + key
        task = asyncio.get_running_loop().create_task(self._carry_out(circuit, what, name, arguments))
        self._commands.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._commands.discard(task)
        # Fetched, so that a failure after the caller was cancelled is not reported as never noticed.
        task.exception()

    async def _carry_out(self, circuit: Circuit, what: str | Script, name: str, arguments: tuple[Argument, ...]) -> Any:
        failures = circuit.failures
        try:
            async with asyncio.timeout(QUEUE_TIMEOUT):
                await self._connections.acquire()
        except TimeoutError:
            raise StoreUnavailable(BUSY) from None
        try:
            if circuit.failures != failures:
                raise StoreUnavailable(CIRCUIT_OPEN)
            async with asyncio.timeout(OPERATION_TIMEOUT):
                reply = await self._attempt_twice(what, name, arguments)
        except FOREIGN_ERRORS as error:
            reason = reason_of(error)
            if is_silence(reason):
                circuit.failed()
                await self._servers.renew()
            else:
                circuit.succeeded()
            raise StoreUnavailable(reason) from None
        finally:
            self._connections.release()
        circuit.succeeded()
        return reply

    async def _attempt_twice(self, what: str | Script, name: str, arguments: tuple[Argument, ...]) -> Any:
        try:
            return await self._attempt(what, name, arguments)
        except (exceptions.ConnectionError, exceptions.ReadOnlyError) as error:
            if reason_of(error) not in {UNREACHABLE, READONLY}:
                raise
        await self._servers.renew()
        return await self._attempt(what, name, arguments)

    async def _attempt(self, what: str | Script, name: str, arguments: tuple[Argument, ...]) -> Any:
        if isinstance(what, str):
            return await self._servers.execute(what, name, *arguments)
        try:
            return await self._servers.execute("EVALSHA", what.digest, 1, name, *arguments)
        except exceptions.NoScriptError:
            return await self._servers.execute("EVAL", what.text, 1, name, *arguments)
