"""A blocking HTTP/1.1 client that costs as little as can be: one socket, one request, bytes counted, not kept."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

_CHUNK = 2**18
TIMEOUT = 120.0


class Refused(Exception):
    """The answer's status was not the one wanted; the message has it."""


def open_call(url: str, headers: Sequence[str], *, method: str = "GET", length: int | None = None) -> socket.socket:
    """Connect and send a request's head."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def read_head(connection: socket.socket) -> tuple[dict[str, str], bytes]:
    """Return the answer's fields, and what came after the head; raises `Refused` unless the status is good."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (data := connection.recv(_CHUNK)):
            raise Refused("the connection was closed")
        received += data
    head, _, rest = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if lines[0].split()[1] not in ("101", "200", "204"):
        raise Refused(f"{lines[0]}: {rest[:200].decode('latin-1')}")
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}, rest


def download(url: str, headers: Sequence[str]) -> tuple[int, float]:
    """Return how many bytes came, and the seconds it took; raises `Refused`."""
    started = time.monotonic()
    buffer = bytearray(_CHUNK)
    with open_call(url, headers) as connection:
        fields, rest = read_head(connection)
        total, left = len(rest), int(fields["content-length"]) - len(rest)
        while left > 0:
            if not (count := connection.recv_into(buffer)):
                raise Refused(f"the connection was closed after {total} bytes")
            total, left = total + count, left - count
    return total, time.monotonic() - started


def upload(url: str, headers: Sequence[str], length: int) -> tuple[int, float]:
    """Send so many zero bytes; return how many, and the seconds until the answer. Raises `Refused`."""
    started = time.monotonic()
    chunk = memoryview(bytes(_CHUNK))
    with open_call(url, headers, method="PUT", length=length) as connection:
        left = length
        while left > 0:
            connection.sendall(chunk[: min(left, _CHUNK)])
            left -= min(left, _CHUNK)
        read_head(connection)
    return length, time.monotonic() - started
