"""Frames of a WebSocket, written and read by hand: what a library would correct, a test must be able to send."""

from __future__ import annotations

from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASK = b"\x11\x22\x33\x44"


@dataclass(frozen=True)
class Frame:
    """One frame, unmasked; `reserved` is the three bits as a number."""

    opcode: int
    payload: bytes = b""
    is_final: bool = True
    reserved: int = 0
    is_masked: bool = False

    @property
    def close_code(self) -> int:
        """The code of a Close frame."""
        return int.from_bytes(self.payload[:2], "big")

    @property
    def close_reason(self) -> str:
        """The reason of a Close frame."""
        return self.payload[2:].decode()


def frame(
    payload: bytes = b"",
    opcode: int = TEXT,
    *,
    mask: bytes = b"",
    is_final: bool = True,
    reserved: int = 0,
    length_size: int | None = None,
) -> bytes:
    """Return a frame's bytes; `length_size` writes the length in 0, 2 or 8 bytes whether that is right or not."""
    if length_size is None:
        length_size = 0 if len(payload) < 126 else 2 if len(payload) < 1 << 16 else 8
    short = {0: len(payload), 2: 126, 8: 127}[length_size]
    head = bytes(((0x80 if is_final else 0) | reserved << 4 | opcode, (0x80 if mask else 0) | short))
    extended = len(payload).to_bytes(length_size, "big") if length_size else b""
    return head + extended + mask + masked(payload, mask)


def from_browser(payload: bytes = b"", opcode: int = TEXT, **changes: object) -> bytes:
    """Return a masked frame's bytes."""
    return frame(payload, opcode, mask=MASK, **changes)  # type: ignore[arg-type]


def masked(payload: bytes, mask: bytes) -> bytes:
    """Apply a mask, or take it off; an empty one changes nothing."""
    return bytes(byte ^ mask[position % 4] for position, byte in enumerate(payload)) if mask else payload


def read_frames(data: bytes) -> list[Frame]:
    """Return the frames that the bytes are; fails if they end within one."""
    frames: list[Frame] = []
    position = 0
    while position < len(data):
        first, second = data[position], data[position + 1]
        position += 2
        length = second & 0x7F
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(data[position : position + size], "big")
            position += size
        mask = data[position : position + 4] if second & 0x80 else b""
        position += len(mask)
        payload = data[position : position + length]
        assert len(payload) == length, "the bytes end within a frame"
        position += length
        frames.append(
            Frame(first & 0x0F, masked(payload, mask), bool(first & 0x80), first >> 4 & 0x7, is_masked=bool(mask))
        )
    return frames
