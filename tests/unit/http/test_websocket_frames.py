"""Where frames end, and what is no frame."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.http.websocket_frames import LONGEST_REASON, FrameFault, FrameStream, close_frame
from tests.support.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    MASK,
    PING,
    PONG,
    TEXT,
    frame,
    from_browser,
    read_frames,
)

COMPRESSED = 0b100


def upstream(*, is_compressed: bool = False, largest: int | None = None) -> FrameStream:
    return FrameStream(is_masked=False, is_compressed=is_compressed, largest=largest)


def fault_of(data: bytes, stream: FrameStream | None = None) -> FrameFault | None:
    stream = stream or upstream()
    stream.take(data)
    return stream.fault


FRAMES = st.one_of(
    st.builds(frame, st.binary(max_size=300) | st.just(b"x" * 66_000), st.sampled_from([TEXT, BINARY])),
    st.builds(frame, st.binary(max_size=125), st.sampled_from([PING, PONG])),
    st.tuples(st.binary(max_size=200), st.binary(max_size=10), st.binary(max_size=200)).map(
        lambda parts: frame(parts[0], TEXT, is_final=False) + frame(parts[1], PING) + frame(parts[2], CONTINUATION)
    ),
)


@settings(deadline=None)
@given(frames=st.lists(FRAMES, max_size=6), cuts=st.lists(st.integers(0, 2000), max_size=20))
def test_good_frames_pass_unchanged_however_they_are_cut(frames: list[bytes], cuts: list[int]) -> None:
    data, stream, passed, start = b"".join(frames), upstream(), b"", 0
    for cut in [*sorted(cuts), len(data)]:
        passed += stream.take(data[start:cut])
        start = max(start, cut)
    assert passed == data
    assert stream.fault is None
    assert stream.is_between_frames


@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=20))
def test_any_bytes_are_judged_the_same_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    whole, pieces, passed, start = upstream(), upstream(), b"", 0
    at_once = whole.take(data)
    for cut in [*sorted(cuts), len(data)]:
        passed += pieces.take(data[start:cut])
        start = max(start, cut)
    assert passed == at_once
    assert data.startswith(passed)
    state = (whole.fault, whole.is_between_frames, whole.has_closed)
    assert (pieces.fault, pieces.is_between_frames, pieces.has_closed) == state


def test_a_header_is_held_back_until_it_is_whole() -> None:
    data, stream = from_browser(b"x" * 70_000), FrameStream(is_masked=True, is_compressed=False)
    for position in range(13):
        assert stream.take(data[position : position + 1]) == b""
        assert stream.is_between_frames
    assert stream.take(data[13:14]) == data[:14]
    assert not stream.is_between_frames
    assert stream.take(data[14:]) == data[14:]
    assert stream.is_between_frames


@pytest.mark.parametrize(
    "data, reason",
    [
        (from_browser(b"a"), "frame.mask"),
        *((frame(b"", opcode), "frame.opcode") for opcode in (CONTINUATION, 0x3, 0x4, 0x5, 0x6, 0x7)),
        *((frame(b"", opcode), "frame.control") for opcode in (0xB, 0xC, 0xD, 0xE, 0xF)),
        *((frame(b"", TEXT, reserved=reserved), "frame.reserved") for reserved in range(1, 8)),
        *((frame(b"", PING, reserved=reserved), "frame.control") for reserved in range(1, 8)),
        (frame(b"", PING, is_final=False), "frame.control"),
        (frame(b"", CLOSE, is_final=False), "frame.control"),
        (frame(b"x" * 126, PING), "frame.control"),
        (frame(b"x" * 126, CLOSE), "frame.control"),
        (frame(b"a", TEXT, is_final=False) + frame(b"b", TEXT), "frame.opcode"),
        (frame(b"a", TEXT, is_final=False) + frame(b"b", CONTINUATION) + frame(b"c", CONTINUATION), "frame.opcode"),
        (frame(b"a", length_size=2), "frame.length"),
        (frame(b"x" * 125, length_size=2), "frame.length"),
        (frame(b"x" * 65_535, length_size=8), "frame.length"),
        (b"\x82\x7f\x80\x00\x00\x00\x00\x01\x00\x00", "frame.length"),
    ],
)
def test_what_no_endpoint_may_send_ends_the_stream_and_is_not_passed_on(data: bytes, reason: str) -> None:
    good = frame(b"before", BINARY)
    stream = upstream()
    passed = stream.take(good + data)
    assert stream.fault == FrameFault(1002, reason)
    assert passed.startswith(good)
    assert read_frames(passed), "only whole frames were passed on"
    assert stream.take(frame(b"after")) == b""
    assert stream.is_between_frames


def test_a_browser_that_does_not_mask_is_no_browser() -> None:
    assert fault_of(frame(b"a"), FrameStream(is_masked=True, is_compressed=False)) == FrameFault(1002, "frame.mask")


def test_compression_is_for_the_first_frame_of_a_message_and_only_if_agreed() -> None:
    stream = upstream(is_compressed=True)
    good = frame(b"a", TEXT, is_final=False, reserved=COMPRESSED) + frame(b"b", CONTINUATION) + frame(b"c")
    assert stream.take(good) == good
    later = frame(b"a", TEXT, is_final=False) + frame(b"b", CONTINUATION, reserved=COMPRESSED)
    assert fault_of(later, upstream(is_compressed=True)) == FrameFault(1002, "frame.reserved")
    for reserved in (0b010, 0b001, 0b110):
        odd = frame(b"a", reserved=reserved)
        assert fault_of(odd, upstream(is_compressed=True)) == FrameFault(1002, "frame.reserved")


def test_a_message_may_be_as_large_as_the_limit_and_no_larger_in_one_piece_or_in_many() -> None:
    many = frame(b"x" * 60, TEXT, is_final=False) + frame(b"", PING) + frame(b"x" * 40, CONTINUATION)
    for good in (frame(b"x" * 100), many, many + frame(b"x" * 100)):
        assert fault_of(good, upstream(largest=100)) is None
    for bad in (frame(b"x" * 101), many[:-42] + frame(b"x" * 41, CONTINUATION)):
        stream = upstream(largest=100)
        passed = stream.take(bad)
        assert stream.fault == FrameFault(1009, "message.size")
        assert sum(len(each.payload) for each in read_frames(passed)) <= 100


def test_nothing_passes_after_a_close_frame() -> None:
    stream, close = upstream(), frame(b"\x03\xe8bye", CLOSE)
    assert stream.take(frame(b"a") + close[:4]) == frame(b"a") + close[:4]
    assert stream.has_closed
    assert not stream.is_between_frames
    assert stream.take(close[4:] + frame(b"b")) == close[4:]
    assert stream.take(frame(b"c")) == b""
    assert stream.is_between_frames


def test_a_stream_that_is_stopped_ends_with_the_frame_under_way() -> None:
    data, stream = frame(b"x" * 100), upstream()
    assert stream.take(data[:50]) == data[:50]
    stream.stop()
    assert stream.take(data[50:80]) == data[50:80]
    assert not stream.is_between_frames
    assert stream.take(data[80:] + frame(b"more")) == data[80:]
    assert stream.is_between_frames
    assert stream.take(frame(b"more")) == b""


@pytest.mark.parametrize("mask", [b"", MASK])
def test_a_close_frame_of_our_own_says_code_and_reason(mask: bytes) -> None:
    (close,) = read_frames(close_frame(1008, "session_ended", mask))
    assert (close.opcode, close.close_code, close.close_reason) == (CLOSE, 1008, "session_ended")
    assert close.is_masked is bool(mask)
    assert fault_of(close_frame(1001, "x" * 500)) is None
    assert len(read_frames(close_frame(1001, "x" * 500))[0].payload) == LONGEST_REASON + 2
