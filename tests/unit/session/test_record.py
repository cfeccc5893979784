"""The session record: freshness, the absolute limit, and its encoding."""

from __future__ import annotations

import msgspec
import pytest

from bff.session.record import AccessToken, decode_record, encode_record
from bff.sessions import Session
from tests.support.session_records import NOW, session_record


@pytest.mark.parametrize(
    "expires_at, margin, is_fresh",
    [
        (NOW + 61, 60, True),
        (NOW + 60, 60, False),
        (NOW - 1, 0, False),
        (None, 60, True),
    ],
)
def test_an_access_token_is_fresh_while_more_than_the_margin_is_left(
    expires_at: float | None, margin: float, is_fresh: bool
) -> None:
    assert AccessToken("value", expires_at, ()).is_fresh(NOW, margin) is is_fresh


def test_nothing_secret_is_in_the_text_that_stands_for_a_session() -> None:
    token = AccessToken("access-1", None, (), dpop_key=b"dpop-key")
    record = session_record(access_token=token, dpop_key=b"dpop-key", target_tokens={"other": token})
    text = repr([token, record, Session(b"the-handle", "key", 1, record, NOW)])
    for secret in ("access-1", "refresh-1", "header.payload", "dpop-key", "the-handle", "248289761001"):
        assert secret not in text


def test_a_record_expires_at_the_moment_of_its_limit() -> None:
    record = session_record(expires_at=NOW)
    assert not record.has_expired(NOW - 0.001)
    assert record.has_expired(NOW)


def test_a_record_survives_encoding() -> None:
    record = session_record(sid=None, auth_time=NOW, acr="mfa", refreshed_at=NOW + 1, id_token=None)
    assert decode_record(encode_record(record)) == record


def test_a_record_written_before_an_optional_field_was_added_is_still_read() -> None:
    values = msgspec.msgpack.decode(encode_record(session_record()))
    for name in ("auth_time", "acr", "refreshed_at"):
        del values[name]
    assert decode_record(msgspec.msgpack.encode(values)) == session_record()


def test_a_record_of_a_later_version_with_more_fields_is_still_read() -> None:
    values = msgspec.msgpack.decode(encode_record(session_record())) | {"added_later": 1}
    assert decode_record(msgspec.msgpack.encode(values)) == session_record()


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", msgspec.msgpack.encode({"issuer": 1}), b"{}"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_record(data)
