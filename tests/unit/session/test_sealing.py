"""Sealing: what opens, and everything that must not."""

from __future__ import annotations

import base64
from secrets import token_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.session import sealing
from bff.session.sealing import SealBroken, Sealer, hash_parts, sealing_context
from tests.support.session_records import session_record

OLD_KEY = b"an old secret key of 32 or more bytes"
NEW_KEY = b"a new secret key of 32 or more bytes!"
CONTEXT = sealing_context("https://idp.example", "spa", "https://app.example")
HANDLE = bytes(range(32))
OTHER_HANDLE = bytes(range(1, 33))
SEALER = Sealer([NEW_KEY], CONTEXT, random_bytes=token_bytes)
KEY = SEALER.store_key(HANDLE)
OTHER_KEY = SEALER.store_key(OTHER_HANDLE)
RECORD = session_record()
SEALED = SEALER.seal(RECORD, HANDLE, KEY)


def refusal(sealer: Sealer, sealed: bytes, handle: bytes = HANDLE, key: str = KEY) -> str:
    """Return why the sealer does not open this."""
    with pytest.raises(SealBroken) as broken:
        sealer.open(sealed, handle, key)
    return broken.value.reason


def test_what_was_sealed_opens() -> None:
    assert SEALER.open(SEALED, HANDLE, KEY) == RECORD


def test_sealing_twice_never_gives_the_same_bytes() -> None:
    assert SEALER.seal(RECORD, HANDLE, KEY) != SEALED


def test_nothing_of_the_record_can_be_read_in_the_sealed_bytes() -> None:
    for secret in (b"access-1", b"refresh-1", b"248289761001", b"idp.example", HANDLE, NEW_KEY):
        assert secret not in SEALED


@given(position=st.integers(0, len(SEALED) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_refused(position: int, bit: int) -> None:
    altered = bytearray(SEALED)
    altered[position] ^= 1 << bit
    assert refusal(SEALER, bytes(altered)) in {"format", "key_unknown", "tag"}


@given(length=st.integers(0, len(SEALED) - 1))
def test_a_truncated_record_is_refused(length: int) -> None:
    assert refusal(SEALER, SEALED[:length]) in {"format", "tag"}


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_without_another_error(data: bytes) -> None:
    refusal(SEALER, data)
    refusal(SEALER, SEALED[:9] + data)
    refusal(SEALER, SEALED + data + b"x")


def test_a_record_does_not_open_in_the_place_of_another() -> None:
    """Two records swapped in the store: same keys, same context, each with its rightful handle and key."""
    other = SEALER.seal(session_record(subject="other"), OTHER_HANDLE, OTHER_KEY)
    assert refusal(SEALER, other, HANDLE, KEY) == "tag"
    assert refusal(SEALER, SEALED, OTHER_HANDLE, OTHER_KEY) == "tag"


def test_the_store_key_alone_binds_as_well_as_the_handle() -> None:
    assert refusal(SEALER, SEALED, HANDLE, OTHER_KEY) == "tag"
    assert refusal(SEALER, SEALED, OTHER_HANDLE, KEY) == "tag"


@pytest.mark.parametrize(
    "context",
    [
        sealing_context("https://idp.example/", "spa", "https://app.example"),
        sealing_context("https://idp.example", "spb", "https://app.example"),
        sealing_context("https://idp.example", "spa", "https://app2.example"),
    ],
)
def test_a_session_of_another_issuer_client_or_origin_is_refused(context: bytes) -> None:
    stranger = Sealer([NEW_KEY], context, random_bytes=token_bytes)
    assert stranger.store_key(HANDLE) != KEY
    assert refusal(stranger, SEALED) == "tag"


def test_parts_that_read_the_same_when_joined_do_not_hash_the_same() -> None:
    assert hash_parts("ab", "c") != hash_parts("a", "bc")
    assert hash_parts("a", "") != hash_parts("a")
    assert hash_parts("é") != hash_parts("e\u0301")


def test_an_older_key_in_the_list_still_opens_and_is_told_from_the_newest() -> None:
    before = Sealer([OLD_KEY], CONTEXT, random_bytes=token_bytes)
    sealed = before.seal(RECORD, HANDLE, KEY)
    rotated = Sealer([NEW_KEY, OLD_KEY], CONTEXT, random_bytes=token_bytes)
    assert rotated.open(sealed, HANDLE, KEY) == RECORD
    assert before.is_current(sealed)
    assert not rotated.is_current(sealed)
    assert rotated.is_current(rotated.seal(RECORD, HANDLE, KEY))


def test_the_store_key_stays_the_same_when_keys_are_rotated() -> None:
    assert Sealer([OLD_KEY], CONTEXT, random_bytes=token_bytes).store_key(HANDLE) == Sealer(
        [NEW_KEY, OLD_KEY], CONTEXT, random_bytes=token_bytes
    ).store_key(HANDLE)


def test_a_key_that_was_taken_out_of_the_list_does_not_open_any_more() -> None:
    sealed = Sealer([OLD_KEY], CONTEXT, random_bytes=token_bytes).seal(RECORD, HANDLE, KEY)
    assert refusal(SEALER, sealed) == "key_unknown"


def test_the_key_id_of_another_key_does_not_make_it_open() -> None:
    both = Sealer([NEW_KEY, OLD_KEY], CONTEXT, random_bytes=token_bytes)
    old = Sealer([OLD_KEY], CONTEXT, random_bytes=token_bytes).seal(RECORD, HANDLE, KEY)
    relabelled = SEALED[: 1 + sealing.KEY_ID_LENGTH] + old[1 + sealing.KEY_ID_LENGTH :]
    assert refusal(both, relabelled) == "tag"


def test_a_format_of_the_future_is_refused() -> None:
    assert refusal(SEALER, b"\x02" + SEALED[1:]) == "format"


def test_a_sealed_value_that_is_no_record_is_refused() -> None:
    newest = SEALER._newest
    sealed = SEALER._encrypt(newest, sealing._subkey(newest.session, HANDLE), b"\xc1", KEY.encode())
    assert refusal(SEALER, sealed) == "record"


def test_the_same_key_twice_in_the_list_does_no_harm() -> None:
    assert Sealer([NEW_KEY, NEW_KEY], CONTEXT, random_bytes=token_bytes).open(SEALED, HANDLE, KEY) == RECORD


@pytest.mark.parametrize("secret_keys", [[], [b"x" * 31], [NEW_KEY, b"short"]])
def test_a_missing_or_short_secret_key_is_refused_at_the_start(secret_keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="secret keys"):
        Sealer(secret_keys, CONTEXT, random_bytes=token_bytes)


def test_a_context_of_another_length_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="context"):
        Sealer([NEW_KEY], b"short", random_bytes=token_bytes)


def test_store_keys_tell_nothing_of_the_handle() -> None:
    assert len(KEY) == 64
    assert HANDLE.hex() not in KEY
    assert KEY != OTHER_KEY


# --- login transactions ---

NAME = "__Host-Http-bff-login-0123456789abcdef"


@given(st.binary(max_size=600))
def test_a_transaction_opens_under_its_name_and_no_other(data: bytes) -> None:
    value = SEALER.seal_transaction(data, name=NAME)
    assert SEALER.open_transaction(value, name=NAME) == data
    with pytest.raises(SealBroken):
        SEALER.open_transaction(value, name=NAME[:-1] + "0")


def test_a_transaction_value_can_stand_in_a_cookie() -> None:
    value = SEALER.seal_transaction(b"x" * 50, name=NAME)
    assert set(value) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@pytest.mark.parametrize("value", ["", "a", "!!!!", "é", "AAAA", "A" * 49, "A" * 100, "AAAA=AAAA", "\x00"])
def test_a_transaction_value_that_was_not_sealed_is_refused(value: str) -> None:
    with pytest.raises(SealBroken):
        SEALER.open_transaction(value, name=NAME)


@given(st.data())
def test_an_altered_transaction_is_refused(data: st.DataObject) -> None:
    sealed = bytearray(base64.urlsafe_b64decode(SEALER.seal_transaction(b"x" * 62, name=NAME) + "=="))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealBroken):
        SEALER.open_transaction(base64.urlsafe_b64encode(sealed).rstrip(b"=").decode(), name=NAME)


def test_a_session_record_is_no_transaction_and_the_other_way_round() -> None:
    as_cookie = base64.urlsafe_b64encode(SEALER.seal(RECORD, NAME.encode(), NAME)).rstrip(b"=").decode()
    with pytest.raises(SealBroken):
        SEALER.open_transaction(as_cookie, name=NAME)
    value = SEALER.seal_transaction(b"x" * 62, name=NAME)
    sealed = base64.urlsafe_b64decode(value + "==")
    assert refusal(SEALER, sealed, NAME.encode(), NAME) == "tag"


def test_a_transaction_of_another_gateway_is_refused() -> None:
    stranger = Sealer(
        [NEW_KEY],
        sealing_context("https://other.example", "spa", "https://app.example"),
        random_bytes=token_bytes,
    )
    with pytest.raises(SealBroken):
        SEALER.open_transaction(stranger.seal_transaction(b"x", name=NAME), name=NAME)


def test_every_nonce_is_fresh() -> None:
    drawn: list[int] = []

    def random_bytes(count: int) -> bytes:
        drawn.append(count)
        return token_bytes(count)

    sealer = Sealer([NEW_KEY], CONTEXT, random_bytes=random_bytes)
    nonces = {sealer.seal(RECORD, HANDLE, KEY)[9:21] for _ in range(100)}
    assert len(nonces) == 100
    assert drawn == [12] * 100


def test_a_value_that_instances_share_opens_under_its_name_and_as_nothing_else() -> None:
    name = "client-token:1"
    sealed = SEALER.seal_shared(b"token", name=name)
    assert b"token" not in sealed
    assert Sealer([NEW_KEY], CONTEXT, random_bytes=token_bytes).open_shared(sealed, name=name) == b"token"
    with pytest.raises(SealBroken):
        SEALER.open_shared(sealed, name="client-token:2")
    assert refusal(SEALER, sealed, name.encode(), name) == "tag"
    with pytest.raises(SealBroken):
        SEALER.open_transaction(base64.urlsafe_b64encode(sealed).decode().rstrip("="), name=name)
    with pytest.raises(SealBroken):
        SEALER.open_shared(SEALED, name=KEY)
    with pytest.raises(SealBroken):
        Sealer([OLD_KEY], CONTEXT, random_bytes=token_bytes).open_shared(sealed, name=name)
