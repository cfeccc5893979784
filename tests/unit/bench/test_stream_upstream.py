"""The upstream of events and uploads, and the client that costs little, understand each other."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from bench import raw_client
from tests.support.ports import reserve_port


@pytest.fixture
def upstream() -> Iterator[str]:
    port = reserve_port()
    with subprocess.Popen([sys.executable, "-m", "bench.stream_upstream", str(port)]) as process:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        process.kill()


def test_an_upload_is_answered_once_all_of_it_is_there(upstream: str) -> None:
    assert raw_client.upload(f"{upstream}/upload", (), 3_000_000)[0] == 3_000_000


def test_events_say_when_they_were_sent(upstream: str) -> None:
    with raw_client.open_call(f"{upstream}/events?every=0", ()) as stream:
        fields, received = raw_client.read_head(stream)
        while b"\n\n" not in received:
            received += stream.recv(4096)
        assert fields["content-type"] == "text/event-stream"
        assert 0 < int(received.partition(b"data: ")[2]) <= time.monotonic_ns()
        with raw_client.open_call(f"{upstream}/open", ()) as asked:
            assert raw_client.read_head(asked)[1] == b"1"
