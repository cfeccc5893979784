"""The frames of a WebSocket (RFC 6455 section 5), as far as a relay must know them: where they end, and which are none.

     0                   1                   2                   3
    +-+-+-+-+-------+-+-------------+-------------------------------+
    |F|R|R|R| opcode|M| length      | length, 2 or 8 bytes, if 126  |
    |I|S|S|S|       |A| (7 bits)    | or 127 stands before it       |
    |N|V|V|V|       |S|             |                               |
    +-+-+-+-+-------+-+-------------+-------------------------------+
    | masking key, 4 bytes, from browsers only | payload            |

Payloads are neither kept nor looked at: not unmasked, not inflated, not decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PROTOCOL_ERROR: Final = 1002
MESSAGE_TOO_BIG: Final = 1009
LONGEST_REASON: Final = 123

_FINAL, _RESERVED, _COMPRESSED, _OPCODE, _MASKED, _LENGTH = 0x80, 0x70, 0x40, 0x0F, 0x80, 0x7F
_CONTINUATION, _LAST_DATA, _CLOSE, _PONG = 0x0, 0x2, 0x8, 0xA
_LARGEST_CONTROL, _TWO_BYTES, _EIGHT_BYTES = 125, 126, 127


@dataclass(frozen=True, slots=True)
class FrameFault:
    """Why a stream of frames cannot go on: the close code to say it with, and a word for the log."""

    code: int
    reason: str


class FrameStream:
    """One direction of a WebSocket.

    A header is held back until it is complete and found good, so that whoever gets what `take` returns has seen only
    whole headers, and can be sent a frame of our own whenever `is_between_frames`. `largest` is in bytes and counts
    the payload of a whole message as it travels, compressed or not.
    """

    __slots__ = (
        "_header", "_is_compressed", "_is_fragmented", "_is_masked", "_is_stopped", "_largest", "_left", "_size",
        "fault", "has_closed",
    )  # fmt: skip

    def __init__(self, *, is_masked: bool, is_compressed: bool, largest: int | None = None) -> None:
        self._is_masked = is_masked
        self._is_compressed = is_compressed
        self._largest = largest
        self._header = b""
        self._left = 0
        self._size = 0
        self._is_fragmented = self._is_stopped = False
        self.has_closed = False
        self.fault: FrameFault | None = None

    @property
    def is_between_frames(self) -> bool:
        """Whether all that was passed on ends with the end of a frame."""
        return self._left == 0

    def stop(self) -> None:
        """Pass nothing more on once the frame under way is complete."""
        self._is_stopped = True

    def take(self, data: bytes) -> bytes:
        """Return what is to be passed on now; nothing after a Close frame, a fault or `stop`."""
        if self._header:
            data, self._header = self._header + data, b""
        position, size = 0, len(data)
        while True:
            step = min(self._left, size - position)
            self._left -= step
            position += step
            if position == size:
                return data
            if self._is_stopped or self.has_closed or self.fault is not None:
                return data[:position]
            length = self._read_header(data, position)
            if length is None:
                return data[:position]
            position += length

    def _read_header(self, data: bytes, position: int) -> int | None:
        """Take note of the frame whose header begins here; return the header's length, None if it cannot go on."""
        rest = len(data) - position
        if rest < 2:
            self._header = data[position:]
            return None
        first, second = data[position], data[position + 1]
        length = second & _LENGTH
        self.fault = self._fault_in(first, second, length)
        extended = 0 if length < _TWO_BYTES else 2 if length == _TWO_BYTES else 8
        header = 2 + extended + (4 if second & _MASKED else 0)
        if self.fault is not None or rest < header:
            self._header = data[position:]
            return None
        if extended:
            length = int.from_bytes(data[position + 2 : position + 2 + extended], "big")
            if length < (_TWO_BYTES if extended == 2 else 1 << 16) or length >> 63:
                self.fault = FrameFault(PROTOCOL_ERROR, "frame.length")
                return None
        if not self._begin(first, length):
            return None
        self._left = length
        return header

    def _fault_in(self, first: int, second: int, length: int) -> FrameFault | None:
        opcode, reserved = first & _OPCODE, first & _RESERVED
        if bool(second & _MASKED) is not self._is_masked:
            return FrameFault(PROTOCOL_ERROR, "frame.mask")
        if opcode >= _CLOSE:
            if opcode > _PONG or reserved or not first & _FINAL or length > _LARGEST_CONTROL:
                return FrameFault(PROTOCOL_ERROR, "frame.control")
            return None
        if opcode > _LAST_DATA or (opcode == _CONTINUATION) is not self._is_fragmented:
            return FrameFault(PROTOCOL_ERROR, "frame.opcode")
        # Only the first frame of a message says that it is compressed (RFC 7692 section 6).
        if reserved and not (reserved == _COMPRESSED and self._is_compressed and opcode != _CONTINUATION):
            return FrameFault(PROTOCOL_ERROR, "frame.reserved")
        return None

    def _begin(self, first: int, length: int) -> bool:
        opcode = first & _OPCODE
        if opcode >= _CLOSE:
            self.has_closed = opcode == _CLOSE
            return True
        self._size = length if opcode != _CONTINUATION else self._size + length
        self._is_fragmented = not first & _FINAL
        if self._largest is not None and self._size > self._largest:
            self.fault = FrameFault(MESSAGE_TOO_BIG, "message.size")
            return False
        return True


def close_frame(code: int, reason: str, mask: bytes = b"") -> bytes:
    """Return a Close frame; a client's is masked with 4 random bytes (RFC 6455 section 5.3)."""
    payload = code.to_bytes(2, "big") + reason.encode("ascii")[:LONGEST_REASON]
    if mask:
        payload = bytes(byte ^ mask[position % 4] for position, byte in enumerate(payload))
    return bytes((_FINAL | _CLOSE, (_MASKED if mask else 0) | len(payload))) + mask + payload
