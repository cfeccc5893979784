"""A Redis Cluster: each key's slot owner is asked over a line of its own; redis-py knows the slots."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from redis import exceptions
from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bff.errors import StoreUnavailable
from bff.session.store import Waiter
from bff.stores.circuit import Circuit
from bff.stores.redis_address import RedisAddress
from bff.stores.redis_connections import (
    COMMAND_TIMEOUT,
    MAXIMUM_CONNECTIONS,
    OPERATION_TIMEOUT,
    OpenConnection,
    connection_options,
    open_connection,
    trust_authorities,
)
from bff.stores.redis_faults import CIRCUIT_OPEN, CLOSED, FOREIGN_ERRORS, REFUSED, reason_of
from bff.stores.redis_line import Line, Waiters, deliver, fail
from bff.stores.redis_reads import ReadQueue
from bff.stores.redis_scripts import decode_stored
from bff.stores.redis_server import CIRCUIT_PAUSE

_UNKNOWN: Final = "unknown"


class RedisClusterServers:
    """Commands through redis-py's cluster client, reads over one line per node, one circuit per node."""

    def __init__(self, address: RedisAddress, *, prefix: str, ca_file: Path | None) -> None:
        self._prefix = prefix
        self._options = connection_options(address, ca_file)
        options = dict(self._options)
        tls_connection_class = options.pop("connection_class", None)
        self._circuits: dict[str, Circuit] = {}
        self._queues: dict[str, ReadQueue] = {}
        self._parked: list[tuple[str, Waiter]] = []
        self._learning: asyncio.Task[None] | None = None
        self._asking: dict[asyncio.Task[None], Waiters] = {}
        self._connections_for_asking = asyncio.Semaphore(MAXIMUM_CONNECTIONS)
        self._client: Any = RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in address.hosts],
            # Once: redis-py reads the slots anew before it tries again.
            retry=Retry(NoBackoff(), 1),
            # A slot that moved is noted by itself; reading all slots anew would close connections that are in use.
            reinitialize_steps=0,
            require_full_coverage=False,
            # Per node: for commands, and for asking.
            max_connections=2 * MAXIMUM_CONNECTIONS,
            **options,
        )
        if tls_connection_class is not None:
            # What redis-py makes nodes from, and the nodes it has made already.
            self._client.connection_kwargs["connection_class"] = tls_connection_class
            for node in self._client.startup_nodes:
                node.connection_class = tls_connection_class

    def circuit(self, key: str) -> Circuit:
        """Return the circuit of the node this key is on."""
        node = self._owner(key)
        return self._circuit_of(_UNKNOWN if node is None else node.name)

    async def execute(self, *command: str | bytes | int) -> Any:
        """Return the reply to a command on the node of its key; raises what redis-py raises."""
        if self._client.get_default_node() is None:
            # Before it knows the slots redis-py would send a script anywhere.
            await self._client.initialize()
        try:
            return await self._client.execute_command(*command)
        except KeyError:
            # What redis-py makes of a slot that no node has, without looking whether one has it by now.
            await self._client.nodes_manager.initialize()
            raise exceptions.SlotNotCoveredError from None

    def read(self, key: str, waiter: Waiter) -> None:
        """Let the waiter have what is stored under the key."""
        node = self._owner(key)
        name = _UNKNOWN if node is None else node.name
        if not self._circuit_of(name).allows():
            waiter.set_exception(StoreUnavailable(CIRCUIT_OPEN))
        elif node is not None:
            self._queue_of(node).add(key, waiter)
        else:
            self._parked.append((key, waiter))
            if self._learning is None or self._learning.done():
                self._learning = asyncio.get_running_loop().create_task(self._learn())

    def _owner(self, key: str) -> ClusterNode | None:
        try:
            node: ClusterNode | None = self._client.get_node_from_key(self._prefix + key)
        except exceptions.SlotNotCoveredError:
            return None
        return node

    def _circuit_of(self, name: str) -> Circuit:
        circuit = self._circuits.get(name)
        if circuit is None:
            circuit = self._circuits[name] = Circuit(CIRCUIT_PAUSE)
        return circuit

    def _queue_of(self, node: ClusterNode) -> ReadQueue:
        queue = self._queues.get(node.name)
        if queue is None:
            queue = self._queues[node.name] = ReadQueue(
                partial(self._open_line, node.host, int(node.port)),
                self._circuit_of(node.name),
                timeout=COMMAND_TIMEOUT,
                on_redirected=self._ask,
                on_failed=self._refresh,
            )
        return queue

    async def _open_line(
        self,
        host: str,
        port: int,
        on_free: Callable[[], None],
        on_lost: Callable[[Line, str], None],
        on_redirected: Callable[[str, Waiters], None],
    ) -> Line:
        connection = await open_connection(self._options | {"host": host, "port": port})
        return Line(
            connection.leave(),
            prefix=self._prefix,
            is_cluster=True,
            on_free=on_free,
            on_lost=on_lost,
            on_redirected=on_redirected,
        )

    # --- through redis-py: while the slots are not known yet, or have just moved ---

    async def _learn(self) -> None:
        """Have redis-py read the slots, then let those who waited for that take their way."""
        try:
            async with asyncio.timeout(OPERATION_TIMEOUT):
                await self._client.initialize()
            self._circuit_of(_UNKNOWN).succeeded()
            parked, self._parked = self._parked, []
            for key, waiter in parked:
                node = self._owner(key)
                if node is None:
                    self._ask(key, [waiter])
                else:
                    self._queue_of(node).add(key, waiter)
        except FOREIGN_ERRORS as error:
            self._circuit_of(_UNKNOWN).failed()
            self._fail_parked(reason_of(error))
        finally:
            # Whatever else happened, nobody is left waiting.
            self._fail_parked(REFUSED)

    def _fail_parked(self, reason: str) -> None:
        parked, self._parked = self._parked, []
        fail([waiter for _, waiter in parked], reason)

    def _ask(self, key: str, waiters: Waiters) -> None:
        """Ask for one key; redis-py follows redirections and learns the slots from them."""
        task = asyncio.get_running_loop().create_task(self._asked(key, waiters))
        self._asking[task] = waiters
        task.add_done_callback(self._asking.pop)

    async def _asked(self, key: str, waiters: Waiters) -> None:
        try:
            async with asyncio.timeout(OPERATION_TIMEOUT), self._connections_for_asking:
                value: bytes | None = await self.execute("GET", self._prefix + key)
            deliver(waiters, None if value is None else decode_stored(value, 0, len(value)))
        except FOREIGN_ERRORS as error:
            fail(waiters, reason_of(error))
        finally:
            # Whatever else happened, nobody is left waiting.
            fail(waiters, REFUSED)

    def _refresh(self, key: str) -> None:
        """Have redis-py find out who owns the slots of a node that is gone; those who waited have been told."""
        if not self._asking:
            self._ask(key, [])

    async def connect(self) -> OpenConnection:
        """Return a connection to any node, each time to another: what is published on one is heard on all."""
        if self._client.get_default_node() is None:
            await self._client.initialize()
        node = random.choice(self._client.get_nodes())  # noqa: S311 -- nothing depends on its being hard to guess
        return await open_connection(self._options | {"host": node.host, "port": int(node.port)})

    def trust(self, ca_file: Path) -> None:
        """Trust the authorities of the file too; raises `OSError` for one that cannot be used."""
        trust_authorities(self._options, ca_file)

    async def renew(self) -> None:
        """Nothing to do: redis-py drops the connections of a node that failed, by itself."""

    async def close(self) -> None:
        """Close all connections, and tell all who wait."""
        self._fail_parked(CLOSED)
        tasks = list(self._asking)
        for waiters in list(self._asking.values()):
            fail(waiters, CLOSED)
        if self._learning is not None:
            tasks.append(self._learning)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for queue in self._queues.values():
            await queue.close()
        await self._client.aclose()
