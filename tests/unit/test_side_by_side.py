"""Tests run in several processes at once: what shares servers stays together, and ports are nobody else's."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.support.ports import reserve_port
from tests.support.side_by_side import WHOLE, group_of

CHECKOUT = Path(__file__).resolve().parents[2]


def test_what_is_played_on_the_stage_stays_together() -> None:
    files = [
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "tests" / "integration").glob("test_*.py")
        if "from tests.support.stage import" in path.read_text()
    ]
    assert len(files) > 5
    assert {group_of(f"{file}::test_x") for file in files} == {"the stage"}


def test_a_whole_directory_stays_together() -> None:
    assert group_of("tests/browser/test_login.py::test_x[a::b]") == group_of("tests/browser/test_cookies.py::test_y")


def test_of_all_the_rest_each_file_stays_together() -> None:
    assert group_of("tests/unit/test_app.py::test_x[tests/browser/]") == "tests/unit/test_app.py"


@pytest.mark.parametrize("beginning", WHOLE)
def test_what_stays_together_exists(beginning: str) -> None:
    assert list(CHECKOUT.glob(f"{beginning}*"))


@pytest.mark.skipif(sys.platform != "linux", reason="a port is kept on Linux alone")
def test_a_reserved_port_is_for_a_server_alone() -> None:
    port = reserve_port(distance=1)
    with socket.socket() as other, socket.socket() as neighbour, socket.socket() as server:
        for taken, number in ((other, port), (neighbour, port + 1)):
            with pytest.raises(OSError, match="in use"):
                taken.bind(("127.0.0.1", number))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen()
        socket.create_connection(("127.0.0.1", port)).close()


def test_a_port_is_reserved_once() -> None:
    ports = [reserve_port() for _ in range(50)]
    assert len(set(ports)) == 50
