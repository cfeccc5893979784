"""A change of `BFF_SECRET_KEYS` that is rolled out instance by instance, in the order of `docs/sessions.md`."""

from __future__ import annotations

import secrets
from itertools import pairwise, product

import pytest

from bff.session.sealing import SealBroken, Sealer, sealing_context
from bff.session.signing import RANDOM_LENGTH, StateSigner, StateVerdict
from tests.support.session_records import ISSUER, NOW, session_record

OLD = b"an old secret key of 32 or more bytes"
NEW = b"a new secret key of 32 or more bytes!"
CONTEXT = sealing_context(ISSUER, "app", "https://app.example.com")
HANDLE = b"h" * 32

STEPS = [[OLD], [OLD, NEW], [NEW, OLD], [NEW]]
"""What is configured before the change, in its steps, and after it."""

SIDE_BY_SIDE = [(writer, reader) for step in pairwise(STEPS) for writer, reader in product(step, repeat=2)]
"""Which configurations are in use at the same time: who writes, who reads."""

each_pair = pytest.mark.parametrize(
    ("writer", "reader"),
    SIDE_BY_SIDE,
    ids=lambda keys: " ".join("old" if key == OLD else "new" for key in keys),
)


def sealer(keys: list[bytes]) -> Sealer:
    return Sealer(keys, CONTEXT, random_bytes=secrets.token_bytes)


@each_pair
def test_a_session_that_one_instance_seals_is_opened_by_the_other(writer: list[bytes], reader: list[bytes]) -> None:
    key = sealer(writer).store_key(HANDLE)
    assert sealer(reader).store_key(HANDLE) == key
    sealed = sealer(writer).seal(session_record(), HANDLE, key)
    assert sealer(reader).open(sealed, HANDLE, key) == session_record()


@each_pair
def test_a_login_that_begins_at_one_instance_ends_at_the_other(writer: list[bytes], reader: list[bytes]) -> None:
    cookie = sealer(writer).seal_transaction(b"the transaction", name="bff-login-1")
    assert sealer(reader).open_transaction(cookie, name="bff-login-1") == b"the transaction"
    state = StateSigner(writer, CONTEXT).issue(b"r" * RANDOM_LENGTH, NOW)
    assert StateSigner(reader, CONTEXT).verify(state, 600, NOW) is StateVerdict.FRESH


def test_without_the_first_step_instances_that_are_not_updated_yet_open_nothing_new() -> None:
    updated, not_yet = [NEW, OLD], [OLD]
    key = sealer(updated).store_key(HANDLE)
    with pytest.raises(SealBroken) as broken:
        sealer(not_yet).open(sealer(updated).seal(session_record(), HANDLE, key), HANDLE, key)
    assert broken.value.reason == "key_unknown"
    state = StateSigner(updated, CONTEXT).issue(b"r" * RANDOM_LENGTH, NOW)
    assert StateSigner(not_yet, CONTEXT).verify(state, 600, NOW) is StateVerdict.FORGED


def test_what_was_in_use_in_the_second_step_needs_the_old_key_no_more() -> None:
    key = sealer([OLD]).store_key(HANDLE)
    sealed = sealer([OLD]).seal(session_record(), HANDLE, key)
    second = sealer([NEW, OLD])
    assert not second.is_current(sealed)
    again = second.seal(second.open(sealed, HANDLE, key), HANDLE, key)
    assert second.is_current(again)
    assert sealer([NEW]).open(again, HANDLE, key) == session_record()
