"""How connections to Redis are made: the options given to redis-py, and connections that leave redis-py for reading."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from redis import exceptions
from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bff.stores.redis_address import RedisAddress, Topology

CONNECT_TIMEOUT: Final = 1.0
COMMAND_TIMEOUT: Final = 1.0
SENTINEL_TIMEOUT: Final = 0.5
"""Seconds for one Sentinel: when it hangs there must be time to ask the next."""

OPERATION_TIMEOUT: Final = 2.5
"""Seconds for all it takes to carry out one command: finding the server, connecting, a second attempt."""

MAXIMUM_CONNECTIONS: Final = 8
"""Connections for commands at a time; reads have one of their own."""

CLIENT_NAME: Final = "bff"


def no_retry() -> Retry:
    """Return redis-py's way of not trying again by itself (it would, ten times)."""
    return Retry(NoBackoff(), 0)


def connection_options(address: RedisAddress, ca_file: Path | None) -> dict[str, Any]:
    """Return the options every connection to a data server has, without where it is.

    RESP 2: it needs no `HELLO`, and an array of values is the same on the wire. With TLS the class that makes the
    connections is among them as `connection_class`. Raises `OSError` for a `ca_file` that cannot be used.
    """
    options: dict[str, Any] = {
        "username": address.username,
        "password": address.password,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_timeout": COMMAND_TIMEOUT,
        "client_name": CLIENT_NAME,
        "driver_info": None,
        "protocol": 2,
    }
    if address.topology is not Topology.CLUSTER:
        options["db"] = address.database
    if address.is_tls:
        options["connection_class"] = _tls_connection_class(ca_file)
    return options


class OpenConnection(AbstractConnection):
    """A connection of redis-py that can be taken out of it once it is open and authenticated."""

    def leave(self) -> asyncio.StreamWriter:
        """Give the open stream away."""
        writer = self._writer
        assert writer is not None
        parser: Any = self._parser
        parser.on_disconnect()
        self._reader = self._writer = None
        return writer


class _Tcp(OpenConnection, Connection):
    pass


class _Unix(OpenConnection, UnixDomainSocketConnection):
    pass


class _Tls(OpenConnection, SSLConnection):
    pass


def _tls_connection_class(ca_file: Path | None) -> type[SSLConnection]:
    """Return a class of verified TLS connections that all use one context.

    Left to itself redis-py makes one per connection, and each reads the system's authorities: the event loop would
    stand still for tens of milliseconds whenever a connection is opened.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)

    class WithContext(_Tls):
        shared_context = context

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.ssl_context.context = context

    return WithContext


def trust_authorities(options: Mapping[str, Any], ca_file: Path) -> None:
    """Trust the authorities of a file too on connections that are opened with these options from now on.

    Raises `OSError` for a file that cannot be used.
    """
    tls_connection_class = options.get("connection_class")
    if tls_connection_class is not None:
        tls_connection_class.shared_context.load_verify_locations(cafile=ca_file)


async def open_connection(options: dict[str, Any], *, must_be_master: bool = False) -> OpenConnection:
    """Return an open, authenticated connection; raises what redis-py raises.

    `must_be_master`: after a failover a Sentinel may name the old master for a moment still.
    """
    options = dict(options)
    kind: Any = options.pop("connection_class", _Unix if "path" in options else _Tcp)
    connection = kind(**options)
    try:
        await asyncio.wait_for(_establish(connection, must_be_master), CONNECT_TIMEOUT + COMMAND_TIMEOUT)
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    opened: OpenConnection = connection
    return opened


async def _establish(connection: Any, must_be_master: bool) -> None:
    await connection.connect()
    if must_be_master:
        await connection.send_command("ROLE")
        role = await connection.read_response()
        if role[0] != b"master":
            raise exceptions.ReadOnlyError("", status_code="READONLY")
