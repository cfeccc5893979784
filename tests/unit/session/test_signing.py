"""The signed, dated `state`."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.session.sealing import sealing_context
from bff.session.signing import RANDOM_LENGTH, StateSigner, StateVerdict
from tests.support.session_records import NOW

OLD_KEY = b"an old secret key of 32 or more bytes"
NEW_KEY = b"a new secret key of 32 or more bytes!"
CONTEXT = sealing_context("https://idp.example", "spa", "https://app.example")
SIGNER = StateSigner([NEW_KEY], CONTEXT)
RANDOM = bytes(range(RANDOM_LENGTH))
STATE = SIGNER.issue(RANDOM, NOW)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."


@pytest.mark.parametrize(
    "age, verdict",
    [
        (0, StateVerdict.FRESH),
        (600, StateVerdict.FRESH),
        (600.5, StateVerdict.EXPIRED),
        (10**9, StateVerdict.EXPIRED),
        (-60, StateVerdict.FRESH),
        (-61, StateVerdict.EXPIRED),
    ],
)
def test_a_state_is_fresh_for_as_long_as_a_login_may_take(age: float, verdict: StateVerdict) -> None:
    assert SIGNER.verify(STATE, 600, NOW + age) is verdict


def test_a_state_holds_its_randomness_so_that_no_two_are_alike() -> None:
    assert SIGNER.issue(secrets.token_bytes(RANDOM_LENGTH), NOW) != STATE
    assert SIGNER.issue(RANDOM, NOW) == STATE


def test_too_little_randomness_is_refused() -> None:
    with pytest.raises(ValueError, match="24"):
        SIGNER.issue(b"x" * 23, NOW)


@given(position=st.integers(0, len(STATE) - 1), character=st.sampled_from(ALPHABET))
def test_a_state_with_any_character_changed_is_forged(position: int, character: str) -> None:
    altered = STATE[:position] + character + STATE[position + 1 :]
    if altered != STATE:
        assert SIGNER.verify(altered, 600, NOW) is StateVerdict.FORGED


@given(st.text(max_size=120))
def test_arbitrary_text_is_forged_without_another_error(text: str) -> None:
    assert SIGNER.verify(text, 600, NOW) is StateVerdict.FORGED


@pytest.mark.parametrize("altered", [STATE + "=", STATE + "\n", " " + STATE, STATE[:-1], STATE + "A", ""])
def test_a_state_has_one_spelling(altered: str) -> None:
    assert SIGNER.verify(altered, 600, NOW) is StateVerdict.FORGED


def test_an_older_key_in_the_list_still_verifies() -> None:
    state = StateSigner([OLD_KEY], CONTEXT).issue(RANDOM, NOW)
    assert StateSigner([NEW_KEY, OLD_KEY], CONTEXT).verify(state, 600, NOW) is StateVerdict.FRESH
    assert SIGNER.verify(state, 600, NOW) is StateVerdict.FORGED


def test_the_newest_key_signs() -> None:
    assert StateSigner([NEW_KEY, OLD_KEY], CONTEXT).issue(RANDOM, NOW) == STATE


def test_a_state_of_another_gateway_is_forged() -> None:
    other = StateSigner([NEW_KEY], sealing_context("https://idp.example", "other", "https://app.example"))
    assert SIGNER.verify(other.issue(RANDOM, NOW), 600, NOW) is StateVerdict.FORGED
