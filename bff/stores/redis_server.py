"""One Redis server: at a host, at a unix socket, or whichever is master according to Sentinel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from redis import exceptions
from redis.asyncio import Sentinel, SSLConnection

from bff.errors import StoreUnavailable
from bff.session.store import Waiter
from bff.stores.circuit import Circuit
from bff.stores.redis_address import RedisAddress, Topology
from bff.stores.redis_connections import (
    COMMAND_TIMEOUT,
    SENTINEL_TIMEOUT,
    OpenConnection,
    connection_options,
    no_retry,
    open_connection,
    trust_authorities,
)
from bff.stores.redis_faults import CIRCUIT_OPEN
from bff.stores.redis_line import Line, Waiters
from bff.stores.redis_reads import ReadQueue

CIRCUIT_PAUSE: Final = 0.5


class RedisServer:
    """Commands over as many connections as are needed at a time, reads over one line, one circuit for both."""

    def __init__(self, address: RedisAddress, *, prefix: str, ca_file: Path | None) -> None:
        self._prefix = prefix
        self._options = connection_options(address, ca_file)
        self._circuit = Circuit(CIRCUIT_PAUSE)
        self._idle: list[OpenConnection] = []
        self._queue: ReadQueue | None = None
        self._service = address.service
        self._sentinel: Any = None
        if address.topology is Topology.SENTINEL:
            self._sentinel = _sentinel(address, self._options.get("connection_class"))
        elif address.topology is Topology.UNIX:
            self._options["path"] = address.path
        else:
            self._options["host"], self._options["port"] = address.hosts[0]

    def circuit(self, key: str) -> Circuit:
        """Return the circuit of the server this key is on."""
        return self._circuit

    async def execute(self, *command: str | bytes | int) -> Any:
        """Return the reply to a command; raises what redis-py raises."""
        connection = self._idle.pop() if self._idle else await self.connect()
        try:
            await connection.send_command(*command)
            reply = await connection.read_response()
        except exceptions.ResponseError:
            # The server answered, so the connection is as good as before.
            self._idle.append(connection)
            raise
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._idle.append(connection)
        return reply

    async def connect(self) -> OpenConnection:
        """Return a connection to the server, to the master under Sentinel; raises what redis-py raises."""
        if self._sentinel is None:
            return await open_connection(self._options)
        host, port = await self._sentinel.discover_master(self._service)
        return await open_connection(self._options | {"host": host, "port": port}, must_be_master=True)

    def read(self, key: str, waiter: Waiter) -> None:
        """Let the waiter have what is stored under the key."""
        if not self._circuit.allows():
            waiter.set_exception(StoreUnavailable(CIRCUIT_OPEN))
            return
        if self._queue is None:
            self._queue = ReadQueue(self._open_line, self._circuit, timeout=COMMAND_TIMEOUT)
        self._queue.add(key, waiter)

    async def _open_line(
        self,
        on_free: Callable[[], None],
        on_lost: Callable[[Line, str], None],
        on_redirected: Callable[[str, Waiters], None],
    ) -> Line:
        connection = await self.connect()
        return Line(
            connection.leave(),
            prefix=self._prefix,
            is_cluster=False,
            on_free=on_free,
            on_lost=on_lost,
            on_redirected=on_redirected,
        )

    def trust(self, ca_file: Path) -> None:
        """Trust the authorities of the file too; raises `OSError` for one that cannot be used."""
        trust_authorities(self._options, ca_file)

    async def renew(self) -> None:
        """Drop all idle connections: when one has died, the others probably have, and none shall cost an attempt."""
        if self._queue is not None:
            self._queue.drop_idle_line()
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close all connections; no command may be under way."""
        if self._queue is not None:
            await self._queue.close()
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect()
        if self._sentinel is not None:
            await self._sentinel.aclose()


def _sentinel(address: RedisAddress, tls_connection_class: type[SSLConnection] | None) -> Any:
    options: dict[str, Any] = {
        "username": address.sentinel_username,
        "password": address.sentinel_password,
        "socket_connect_timeout": SENTINEL_TIMEOUT,
        "socket_timeout": SENTINEL_TIMEOUT,
        "retry": no_retry(),
        "driver_info": None,
        "protocol": 2,
    }
    sentinel_class: Any = Sentinel
    sentinel = sentinel_class(address.hosts, sentinel_kwargs=options)
    if tls_connection_class is not None:
        for client in sentinel.sentinels:
            client.connection_pool.connection_class = tls_connection_class
    return sentinel
