"""HTTP/1.1 read strictly from raw bytes: what one side of the gateway got to see, and whether it was well formed.

Written from RFC 9112 and independent of the parsers under test. Nothing is repaired: a bare line feed, a chunk
extension, a repeated length or a trailer is `Malformed`.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

Fields = list[tuple[bytes, bytes]]

_REQUEST_LINE = re.compile(rb"([A-Z-]+) (/[!-~]*) HTTP/1\.1")
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) ([\t -~]*)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?|)[ \t]*")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class Malformed(Exception):
    """The bytes are no HTTP/1.1 message; the text says why."""


@dataclass
class Message:
    """A request or an answer; `start` is the method and target, or the status."""

    start: tuple[bytes, bytes]
    fields: Fields
    body: bytes = b""

    def values(self, name: str) -> list[bytes]:
        """Return the values of the field, in order."""
        return [value for field_name, value in self.fields if field_name.lower() == name.lower().encode()]

    def value(self, name: str) -> bytes | None:
        """Return the only value of the field, or None."""
        values = self.values(name)
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def method(self) -> bytes:
        """The method of a request."""
        return self.start[0]

    @property
    def target(self) -> bytes:
        """The target of a request."""
        return self.start[1]

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.start[0])


@dataclass
class Stream:
    """The bytes that arrive on one connection; `received` keeps all of them."""

    reader: asyncio.StreamReader
    received: bytearray = field(default_factory=bytearray)
    buffer: bytearray = field(default_factory=bytearray)
    keeps: bool = True

    async def _more(self) -> bool:
        data = await self.reader.read(65536)
        if self.keeps:
            self.received += data
        self.buffer += data
        return bool(data)

    async def until(self, end: bytes, *, most: int = 1 << 20) -> bytes | None:
        """Return what comes before `end`; None if the stream ended before it began."""
        searched = 0
        while (index := self.buffer.find(end, searched)) < 0:
            searched = max(0, len(self.buffer) - len(end) + 1)
            if len(self.buffer) > most:
                raise Malformed("no end of the head in sight")
            if not await self._more():
                if self.buffer:
                    raise Malformed("the stream ended within a head or a line")
                return None
        taken = bytes(self.buffer[:index])
        del self.buffer[: index + len(end)]
        return taken

    async def exactly(self, size: int) -> bytes:
        """Return that many bytes."""
        while len(self.buffer) < size:
            if not await self._more():
                raise Malformed("the stream ended within a body")
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    async def rest(self) -> bytes:
        """Return all bytes up to the end of the stream."""
        while await self._more():
            pass
        taken = bytes(self.buffer)
        self.buffer.clear()
        return taken


async def read_request(stream: Stream) -> Message | None:
    """Return the next request; None at the end of the stream. Raises `Malformed`."""
    message = await _read_head(stream, _REQUEST_LINE)
    if message is None:
        return None
    if len(message.values("host")) != 1:
        raise Malformed("not exactly one Host")
    length = _length(message)
    if length is not None:
        message.body = await stream.exactly(length)
    elif _is_chunked(message):
        message.body = await _read_chunks(stream)
    return message


async def read_answer(stream: Stream, *, to_head: bool = False) -> Message | None:
    """Return the next answer, interim ones as well; None at the end of the stream. Raises `Malformed`."""
    message = await _read_head(stream, _STATUS_LINE)
    if message is None:
        return None
    length, is_chunked = _length(message), _is_chunked(message)
    if to_head or message.status < 200 or message.status in (204, 304):
        return message
    if length is not None:
        message.body = await stream.exactly(length)
    elif is_chunked:
        message.body = await _read_chunks(stream)
    else:
        message.body = await stream.rest()
    return message


async def _read_head(stream: Stream, start_line: re.Pattern[bytes]) -> Message | None:
    head = await stream.until(b"\r\n\r\n")
    if head is None:
        return None
    first, *lines = head.split(b"\r\n")
    match = start_line.fullmatch(first)
    if match is None:
        raise Malformed(f"start line {first!r}")
    fields: Fields = []
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise Malformed(f"field line {line!r}")
        fields.append((found[1], found[2]))
    return Message((match[1], match[2]), fields)


def _length(message: Message) -> int | None:
    values = message.values("content-length")
    if not values:
        return None
    if len(values) > 1 or not values[0].isdigit():
        raise Malformed(f"Content-Length {values!r}")
    if message.values("transfer-encoding"):
        raise Malformed("Content-Length beside Transfer-Encoding")
    return int(values[0])


def _is_chunked(message: Message) -> bool:
    values = message.values("transfer-encoding")
    if values not in ([], [b"chunked"]):
        raise Malformed(f"Transfer-Encoding {values!r}")
    return bool(values)


async def _read_chunks(stream: Stream) -> bytes:
    body = bytearray()
    while True:
        line = await stream.until(b"\r\n")
        if line is None:
            raise Malformed("the stream ended within a body")
        if _CHUNK_SIZE.fullmatch(line) is None:
            raise Malformed(f"chunk size {line!r}")
        size = int(line, 16)
        body += await stream.exactly(size)
        if await stream.exactly(2) != b"\r\n":
            raise Malformed("no CRLF after a chunk, or a trailer")
        if size == 0:
            return bytes(body)
