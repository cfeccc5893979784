"""What is asked of the operating system for every connection."""

from __future__ import annotations

import asyncio
import os
import socket

_OPTIONS = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 60),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 15),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 4),
)

_MOST_UNREAD = 256 * 1024


def notice_dead_peer(transport: asyncio.Transport) -> None:
    """Let the system probe a silent peer, so that a stream to a machine that vanished ends after two minutes."""
    connection = transport.get_extra_info("socket")
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    for level, name, value in _OPTIONS:
        option = getattr(socket, name, None)  # not every system has all of them
        if option is not None:
            connection.setsockopt(level, option, value)


def unread(transport: asyncio.Transport) -> bytes:
    """Return what the system has received on a connection that is just being lost, and nobody has read.

    Nothing where TLS is spoken: what lies there is not yet an answer.
    """
    connection = transport.get_extra_info("socket")
    if connection is None or transport.get_extra_info("ssl_object") is not None or connection.fileno() < 0:
        return b""
    try:
        return os.read(connection.fileno(), _MOST_UNREAD)
    except OSError:
        return b""
