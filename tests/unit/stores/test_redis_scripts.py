"""How a session lies in Redis."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.session.store import StoredSession, Tombstone
from bff.stores.redis_scripts import (
    SCRIPTS,
    decode_ending,
    decode_stored,
    encode_ending,
    encode_session,
    encode_tombstone,
    encode_version,
    milliseconds,
)


@given(sealed=st.binary(max_size=100), before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_a_session_is_found_again_wherever_it_stands_in_a_buffer(sealed: bytes, before: bytes, after: bytes) -> None:
    value = encode_session(1_700_000_000.125, sealed)
    buffer = before + value + after
    assert decode_stored(buffer, len(before), len(before) + len(value)) == StoredSession(1, 1_700_000_000.125, sealed)


def test_a_new_session_is_laid_out_as_documented() -> None:
    assert encode_session(1.5, b"sealed") == bytes(7) + b"\x01" + bytes(6) + b"\x05\xdc" + b"sealed"
    assert encode_version(258) == bytes(6) + b"\x01\x02"


def test_a_tombstone_has_version_zero_and_is_like_no_other() -> None:
    value = encode_tombstone("logout")
    assert value[:8] == bytes(8)
    assert value[16:] == b"logout"
    assert decode_stored(value, 0, len(value)) == Tombstone("logout")
    assert encode_tombstone("logout") != value


def test_a_tombstone_with_foreign_bytes_is_read_without_an_error() -> None:
    value = bytes(16) + b"\xff\n"
    found = decode_stored(value, 0, len(value))
    assert isinstance(found, Tombstone)


@given(st.binary(max_size=15))
def test_a_value_without_a_head_is_passed_on_to_be_refused(value: bytes) -> None:
    assert decode_stored(value, 0, len(value)) == StoredSession(0, 0.0, value)


@pytest.mark.parametrize("seconds, expected", [(0, 1), (-5, 1), (0.0001, 1), (1.5, 1500), (28_800, 28_800_000)])
def test_a_lifetime_is_never_nothing(seconds: float, expected: int) -> None:
    assert milliseconds(seconds) == expected


def test_every_script_is_known_by_its_digest_and_touches_one_key_only() -> None:
    for script in SCRIPTS:
        assert script.digest == hashlib.sha1(script.text.encode()).hexdigest()
        assert "KEYS[2]" not in script.text


def test_an_announcement_is_read_as_it_was_written_and_holds_nothing_else() -> None:
    assert encode_ending("a" * 64, "logout") == b"a" * 64 + b" logout"
    assert decode_ending(encode_ending("a" * 64, "logout")) == ("a" * 64, "logout")


@given(st.binary(max_size=100))
def test_whatever_was_published_is_read_without_an_error(message: bytes) -> None:
    ending = decode_ending(message)
    assert ending is None or all(ending)
