"""Every kind of store, opened the way the gateway opens it, for the tests of the contract."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from fakeredis import TcpFakeServer

from bff.session.store import SessionStore
from bff.stores.memory import MemoryStore
from bff.stores.redis import RedisStore
from bff.stores.redis_scripts import SCRIPTS
from tests.support.clock import Clock
from tests.support.ports import reserve_port
from tests.support.redis_servers import (
    RedisProcess,
    directory,
    redis_cluster,
    redis_sentinels,
    redis_server,
    relay,
)
from tests.support.server_certificates import server_certificate

DISTRIBUTION_SERVER = shutil.which("redis-server")


@dataclass
class Place:
    """Somewhere sessions can be kept; `open` gives another instance of the gateway its store."""

    open_in: Callable[[str], SessionStore]
    clock: Callable[[], float]
    _pass_time: Callable[[float], None] | None = None
    namespace: str = ""

    def open(self) -> SessionStore:
        """Return the store of one more instance of this application."""
        return self.open_in(self.namespace)

    def renew(self) -> None:
        """Be another application from now on: nothing of an earlier test is seen."""
        self.namespace = f"bff:{secrets.token_hex(8)}"

    async def outlive(self, seconds: float) -> None:
        """Let at least that much time pass, as the store sees it."""
        if self._pass_time is not None:
            self._pass_time(seconds)
        else:
            await asyncio.sleep(seconds + 0.02)


@contextmanager
def memory() -> Iterator[Place]:
    """One process's memory: every instance is the same store."""
    clock = Clock()
    stores: dict[str, MemoryStore] = {}
    yield Place(lambda namespace: stores.setdefault(namespace, MemoryStore(clock)), clock, clock.advance)


def _redis_place(url: str, ca_file: Path | None = None) -> Place:
    def open_in(namespace: str) -> SessionStore:
        return RedisStore(url, namespace=namespace, ca_file=ca_file, clock=time.time)

    return Place(open_in, time.time)


class _FakeServer(TcpFakeServer):
    request_queue_size = 128


@contextmanager
def fake_redis() -> Iterator[Place]:
    """The fake, over TCP. It closes a connection after an error reply, so the scripts are loaded beforehand."""
    server = _FakeServer(("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with redis.Redis(port=server.server_address[1], protocol=2) as client:
            for script in SCRIPTS:
                client.script_load(script.text)
        yield _redis_place(f"redis://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def valkey() -> Iterator[Place]:
    """A real server."""
    with redis_server() as server:
        yield _redis_place(f"{server.url}/3")


@contextmanager
def valkey_with_password() -> Iterator[Place]:
    """A real server that wants a user and a password."""
    arguments = ("--user", "bff", "on", ">p@ss:word/", "~bff:*", "&bff:*", "+@all", "--requirepass", "another")
    with redis_server(*arguments) as server:
        yield _redis_place(f"valkey://bff:p%40ss%3Aword%2F@127.0.0.1:{server.port}")


@contextmanager
def unix_socket() -> Iterator[Place]:
    """A real server at a unix socket."""
    with directory() as path, redis_server("--unixsocket", str(path / "s")):
        yield _redis_place(f"unix://{path}/s?db=1")


@contextmanager
def tls() -> Iterator[Place]:
    """A real server behind something that ends TLS, as managed offers have it."""
    with directory() as path, redis_server() as server:
        authority, context = _server_context(path)
        with relay(server.host, tls=context) as front:
            yield _redis_place(f"rediss://localhost:{front.port}", ca_file=authority)


@contextmanager
def redis_with_tls() -> Iterator[Place]:
    """The distribution's Redis, speaking TLS itself."""
    assert DISTRIBUTION_SERVER is not None
    with directory() as path:
        authority, certificate = server_certificate(path, "localhost")
        server = RedisProcess(
            path,
            *("--tls-cert-file", str(certificate), "--tls-key-file", str(certificate)),
            *("--tls-ca-cert-file", str(authority), "--tls-auth-clients", "no", "--tls-port"),
            program=DISTRIBUTION_SERVER,
        )
        tls_port = reserve_port()
        server.add_argument(str(tls_port))
        try:
            server.start()
            yield _redis_place(f"rediss://localhost:{tls_port}", ca_file=authority)
        finally:
            server.stop()


@contextmanager
def cluster() -> Iterator[Place]:
    """Three masters."""
    with redis_cluster() as nodes:
        yield _redis_place(f"redis+cluster://127.0.0.1:{nodes[0].port},127.0.0.1:{nodes[1].port}")


@contextmanager
def sentinel() -> Iterator[Place]:
    """A master and a replica under three Sentinels."""
    with redis_sentinels(password="secret") as (_, watchers):
        hosts = ",".join(f"127.0.0.1:{watcher.port}" for watcher in watchers)
        yield _redis_place(f"redis+sentinel://:secret@{hosts}/main/2")


def _server_context(path: Path) -> tuple[Path, ssl.SSLContext]:
    """Return the authority's file, and what ends TLS for localhost and 127.0.0.1."""
    authority, certificate = server_certificate(path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return authority, context


@contextmanager
def cluster_with_tls() -> Iterator[Place]:
    """Three masters behind TLS, which announce themselves as being there."""
    with directory() as path:
        authority, context = _server_context(path)
        with redis_cluster(tls=context) as nodes:
            assert nodes[0].front is not None
            yield _redis_place(f"rediss+cluster://127.0.0.1:{nodes[0].front.port}", ca_file=authority)


@contextmanager
def sentinel_with_tls() -> Iterator[Place]:
    """A master behind TLS, under a Sentinel behind TLS."""
    with directory() as path:
        authority, context = _server_context(path)
        with redis_sentinels(sentinels=1, tls=context) as (_, watchers):
            assert watchers[0].front is not None
            yield _redis_place(f"rediss+sentinel://127.0.0.1:{watchers[0].front.port}/main", ca_file=authority)


PLACES: dict[str, Callable[[], contextlib.AbstractContextManager[Any]]] = {
    "memory": memory,
    "fakeredis": fake_redis,
    "valkey": valkey,
    "valkey with a password": valkey_with_password,
    "unix socket": unix_socket,
    "TLS in front": tls,
    "redis-server with TLS": redis_with_tls,
    "cluster": cluster,
    "sentinel": sentinel,
    "cluster with TLS": cluster_with_tls,
    "sentinel with TLS": sentinel_with_tls,
}


def available_places() -> list[str]:
    """Return the names of the stores that can be tested on this machine."""
    return [name for name in PLACES if name != "redis-server with TLS" or DISTRIBUTION_SERVER is not None]
