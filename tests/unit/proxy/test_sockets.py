"""What is asked of the operating system for every connection."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

import pytest

from bff.proxy.sockets import notice_dead_peer, unread
from tests.support.fake_transports import FakeTransport


@dataclass
class FakeSocket:
    family: socket.AddressFamily
    options: list[tuple[int, int, int]] = field(default_factory=list)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options.append((level, option, value))


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_peer_on_another_machine_is_probed_when_it_is_silent(family: socket.AddressFamily) -> None:
    connection = FakeSocket(family)
    notice_dead_peer(FakeTransport(socket=connection))
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in connection.options


def test_a_peer_on_this_machine_is_not() -> None:
    connection = FakeSocket(socket.AF_UNIX)
    notice_dead_peer(FakeTransport(socket=connection))
    notice_dead_peer(FakeTransport())
    assert connection.options == []


def test_a_system_that_lacks_an_option_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "TCP_KEEPIDLE", raising=False)
    connection = FakeSocket(socket.AF_INET)
    notice_dead_peer(FakeTransport(socket=connection))
    assert 0 < len(connection.options) < 4


def test_what_nobody_has_read_yet_is_had_once() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        assert unread(FakeTransport(socket=near)) == b""
        far.sendall(b"answer")
        assert unread(FakeTransport(socket=near)) == b"answer"
        assert unread(FakeTransport(socket=near)) == b""
        far.close()
        assert unread(FakeTransport(socket=near)) == b""


def test_nothing_is_read_where_there_is_no_plain_open_socket() -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"ciphertext")
        assert unread(FakeTransport(socket=near, ssl_object=object())) == b""
        near.close()
        assert unread(FakeTransport(socket=near)) == b""
    assert unread(FakeTransport()) == b""
