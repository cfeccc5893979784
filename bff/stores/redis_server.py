"""One Redis server: at a host, at a unix socket, or whichever is master according to Sentinel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis, Sentinel, SSLConnection, UnixDomainSocketConnection

from bff.errors import StoreUnavailable
from bff.stores.circuit import Circuit
from bff.stores.redis_address import RedisAddress, Topology
from bff.stores.redis_connections import (
    COMMAND_TIMEOUT,
    SENTINEL_TIMEOUT,
    connection_options,
    no_retry,
    open_stream,
    tls_options,
)
from bff.stores.redis_faults import CIRCUIT_OPEN
from bff.stores.redis_line import Found, Line, Waiters
from bff.stores.redis_reads import ReadQueue

MAXIMUM_CONNECTIONS: Final = 16
"""Connections for commands; reads have one of their own."""

CIRCUIT_PAUSE: Final = 0.5


class RedisServer:
    """Commands through redis-py's pool, reads over one line, and one circuit for both."""

    def __init__(self, address: RedisAddress, *, prefix: str, ca_file: Path | None) -> None:
        self._prefix = prefix
        self._options = connection_options(address, ca_file)
        self._circuit = Circuit(CIRCUIT_PAUSE)
        self._queue: ReadQueue | None = None
        self._sentinel: Any = None
        if address.topology is Topology.SENTINEL:
            self._service = address.service
            self._sentinel = _sentinel(address, self._options, ca_file)
            self._client: Any = self._sentinel.master_for(address.service)
            return
        pool_options = dict(self._options)
        if address.topology is Topology.UNIX:
            self._options["path"] = address.path
            pool_options |= {"path": address.path, "connection_class": UnixDomainSocketConnection}
        else:
            host, port = address.hosts[0]
            self._options |= {"host": host, "port": port}
            pool_options |= {"host": host, "port": port}
            if address.is_tls:
                pool_options["connection_class"] = SSLConnection
        self._client = Redis.from_pool(ConnectionPool(max_connections=MAXIMUM_CONNECTIONS, **pool_options))

    def circuit(self, key: str) -> Circuit:
        """Return the circuit of the server this key is on."""
        return self._circuit

    async def execute(self, *command: str | bytes | int) -> Any:
        """Return the reply to a command; raises what redis-py raises."""
        return await self._client.execute_command(*command)

    def read(self, key: str, waiter: asyncio.Future[Found]) -> None:
        """Let the waiter have what is stored under the key."""
        if not self._circuit.allows():
            waiter.set_exception(StoreUnavailable(CIRCUIT_OPEN))
            return
        if self._queue is None:
            self._queue = ReadQueue(
                self._open_line,
                self._circuit,
                timeout=COMMAND_TIMEOUT,
                on_redirected=_never_redirected,
                on_failed=_note_nothing,
            )
        self._queue.add(key, waiter)

    async def _open_line(
        self,
        *,
        on_free: Callable[[], None],
        on_lost: Callable[[Line, str], None],
        on_redirected: Callable[[str, Waiters], None],
    ) -> Line:
        options = self._options
        if self._sentinel is not None:
            host, port = await self._sentinel.discover_master(self._service)
            options = options | {"host": host, "port": port}
        return Line(
            await open_stream(options, must_be_master=self._sentinel is not None),
            prefix=self._prefix,
            is_cluster=False,
            on_free=on_free,
            on_lost=on_lost,
            on_redirected=on_redirected,
        )

    async def renew(self) -> None:
        """Drop all idle connections: when one has died, the others probably have, and none shall cost an attempt."""
        if self._queue is not None:
            self._queue.drop_idle_line()
        await self._client.connection_pool.disconnect(inuse_connections=False)

    async def close(self) -> None:
        """Close all connections."""
        if self._queue is not None:
            await self._queue.close()
        await self._client.aclose()
        if self._sentinel is not None:
            await self._sentinel.aclose()


def _sentinel(address: RedisAddress, options: dict[str, Any], ca_file: Path | None) -> Any:
    sentinel_options: dict[str, Any] = {
        "username": address.sentinel_username,
        "password": address.sentinel_password,
        "socket_connect_timeout": SENTINEL_TIMEOUT,
        "socket_timeout": SENTINEL_TIMEOUT,
        "retry": no_retry(),
        "client_name": options["client_name"],
        "driver_info": None,
        "protocol": 2,
        "ssl": address.is_tls,
    }
    sentinel_class: Any = Sentinel
    return sentinel_class(
        address.hosts,
        sentinel_kwargs=sentinel_options | tls_options(address, ca_file),
        max_connections=MAXIMUM_CONNECTIONS,
        ssl=address.is_tls,
        **options,
    )


def _never_redirected(_key: str, waiters: Waiters) -> None:
    raise AssertionError("only a cluster redirects")


def _note_nothing(_key: str) -> None:
    pass
