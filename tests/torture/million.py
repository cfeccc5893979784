"""A million calls with a session through one worker, and what its memory does meanwhile; see the README here."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.support.processes import start_gateway, start_provider, start_valkey
from tests.support.sign_in import sign_in

CONNECTIONS = 16
PIPELINED = 8
REPORTS = 10
MOST_GROWTH = 2.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024


class Upstream(asyncio.Protocol):
    """Answers every head without a body that comes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._unread = b""

    def data_received(self, data: bytes) -> None:
        heads = (self._unread + data).split(b"\r\n\r\n")
        self._unread = heads.pop()
        self._transport.write(ANSWER * len(heads))


def memory_of(pid: int) -> float:
    """Return the memory that the process alone would give back, in megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_", "Shared_Dirty"))) / 1024


async def call(port: int, request: bytes, count: int) -> None:
    """Make the calls on one connection, some at once; every answer must be the upstream's."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for first in range(0, count, PIPELINED):
        now = min(PIPELINED, count - first)
        writer.write(request * now)
        for _ in range(now):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            await reader.readexactly(1024)
    writer.close()


async def run(calls: int) -> bool:
    """Make the calls; print and judge the gateway's memory."""
    with ExitStack() as stack:
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
        upstream_port = server.sockets[0].getsockname()[1]
        provider = stack.enter_context(start_provider())
        valkey = stack.enter_context(start_valkey())
        # The access log goes to a file in memory or on disk, a gigabyte of it: off.
        gateway = stack.enter_context(
            start_gateway(provider, f"http://127.0.0.1:{upstream_port}", valkey.url, BFF_LOG_LEVEL="warning")
        )
        browser = await sign_in(gateway, "alice")
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        await browser.aclose()
        request = (
            f"GET /api/x HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
            f"Sec-Fetch-Site: same-origin\r\nCookie: {cookies}\r\n\r\n"
        ).encode()
        share = calls // REPORTS // CONNECTIONS
        memory = []
        for number in range(1, REPORTS + 1):
            began = time.monotonic()
            await asyncio.gather(*(call(gateway.port, request, share) for _ in range(CONNECTIONS)))
            memory.append(memory_of(gateway.process.pid))
            rate = share * CONNECTIONS / (time.monotonic() - began)
            print(f"{number * share * CONNECTIONS:>9,} calls  {memory[-1]:6.1f} MB  {rate:7,.0f} calls/s", flush=True)
        server.close()
    growth = memory[-1] - memory[REPORTS // 2 - 1]
    print(f"growth in the second half: {growth:+.2f} MB")
    return growth < MOST_GROWTH


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.million", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    return 0 if asyncio.run(run(parser.parse_args(arguments).calls)) else 1


if __name__ == "__main__":
    sys.exit(main())
