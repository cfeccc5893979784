"""`python -m bff.demo`: it starts, it works, it leaves nothing behind."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import reserve_port

PORTS = re.compile(r"(?:localhost|127\.0\.0\.1|port)[: ](\d+)")


@contextmanager
def demo(*options: str) -> Iterator[subprocess.Popen[str]]:
    ports = [word for name in ("gateway", "provider", "api") for word in (f"--{name}-port", str(reserve_port()))]
    command = [sys.executable, "-m", "bff.demo", *ports, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def children_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in children.read_text().split()] if children.exists() else []


def read_until(process: subprocess.Popen[str], end: str) -> str:
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if end in line:
            return seen
    raise AssertionError(f"The launcher ended before it said {end!r}:\n{seen}")


def test_the_check_logs_in_calls_the_api_and_logs_out() -> None:
    with demo("--check") as process:
        output, _ = process.communicate(timeout=90)
        assert process.returncode == 0, output
    for step in ("logged in as alice", "approving one's own is refused", "an API call after logout is refused"):
        assert f"ok  {step}" in output


def test_an_interrupt_stops_everything_and_is_no_error() -> None:
    with demo() as process:
        output = read_until(process, "Ctrl-C")
        ports = {int(port) for port in PORTS.findall(output)}
        assert len(ports) == 4
        assert all(is_listening(port) for port in ports)
        children = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert not any(is_listening(port) for port in ports)
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_a_start_that_fails_half_way_says_why_and_leaves_nothing_running() -> None:
    children: set[int] = set()
    with demo("--redis-url", "gopher://127.0.0.1") as process:
        while process.poll() is None:
            children.update(children_of(process.pid))
        output, _ = process.communicate()
    assert process.returncode == 1
    assert "gateway ended with status" in output
    assert "BFF_REDIS_URL" in output
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_a_port_that_is_taken_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with demo("--gateway-port", str(port)) as process:
            output = read_until(process, "Ctrl-C")
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            assert process.returncode == 0
    assert f"http://localhost:{port}" not in output
