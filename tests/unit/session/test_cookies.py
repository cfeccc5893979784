"""Cookie names, values and `Set-Cookie` lines."""

from __future__ import annotations

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.session.cookies import SessionCookies, decode_handle, encode_handle

SECURE = SessionCookies("bff", is_secure=True)
PLAIN = SessionCookies("bff", is_secure=False)
HANDLE = bytes(range(32))
VALUE = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
STATE = "a state"


@given(st.binary(min_size=32, max_size=32))
def test_a_handle_survives_the_cookie(handle: bytes) -> None:
    encoded = encode_handle(handle)
    assert len(encoded) == 43
    assert decode_handle(encoded.encode()) == handle


def test_a_handle_is_written_in_base64url() -> None:
    assert encode_handle(HANDLE) == VALUE
    assert encode_handle(b"\xff" * 32) == "_" * 42 + "8"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        VALUE.encode()[:-1],
        VALUE.encode() + b"A",
        VALUE.encode() + b"=",
        VALUE.encode()[:-1] + b"=",
        VALUE.encode()[:-1] + b"9",  # the same 32 bytes with a stray bit
        b"+" * 42 + b"8",  # the other base64 alphabet
        b"/" * 42 + b"8",
        b"!" * 42 + b"8",
        b"\x00" * 42 + b"8",
        b"\xff" * 42 + b"8",
        b'"' + VALUE.encode()[1:-1] + b'"',
        VALUE.encode()[:20] + b" " + VALUE.encode()[21:],
        VALUE.encode()[:20] + b"=" + VALUE.encode()[21:],
        VALUE.encode()[:20] + b"\n" + VALUE.encode()[21:],
    ],
)
def test_anything_but_the_one_spelling_of_a_handle_is_no_handle(value: bytes) -> None:
    assert decode_handle(value) is None


@given(st.binary(max_size=60))
def test_whatever_decodes_encodes_to_the_same_characters(value: bytes) -> None:
    handle = decode_handle(value)
    assert handle is None or (len(handle) == 32 and encode_handle(handle).encode() == value)


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", min_size=43, max_size=43))
def test_of_the_spellings_of_43_characters_only_the_canonical_ones_decode(text: str) -> None:
    handle = base64.urlsafe_b64decode(text + "=")
    assert (decode_handle(text.encode()) is not None) == (encode_handle(handle) == text)


def test_the_session_cookie_on_https() -> None:
    assert SECURE.session_name == "__Host-Http-bff"
    assert SECURE.set_session(HANDLE) == f"__Host-Http-bff={VALUE}; Path=/; HttpOnly; SameSite=Strict; Secure"


def test_the_session_cookie_on_http_has_neither_prefix_nor_secure() -> None:
    assert PLAIN.session_name == "bff"
    assert PLAIN.set_session(HANDLE) == f"bff={VALUE}; Path=/; HttpOnly; SameSite=Strict"


def test_a_login_cookie_lives_ten_minutes_and_comes_back_from_the_provider() -> None:
    name = SECURE.transaction_name(STATE)
    assert SECURE.set_transaction(name, "value") == (
        f"{name}=value; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600"
    )


@pytest.mark.parametrize("cookies", [SECURE, PLAIN])
def test_a_cookie_is_deleted_with_the_attributes_it_was_set_with(cookies: SessionCookies) -> None:
    def attributes(line: str) -> set[str]:
        return {part for part in line.split("; ")[1:] if not part.startswith(("Max-Age", "Expires"))}

    name = cookies.transaction_name(STATE)
    assert attributes(cookies.set_session(HANDLE)) == attributes(cookies.clear_session())
    assert attributes(cookies.set_transaction(name, "x")) == attributes(cookies.clear_transaction(name))
    for cleared, cookie in ((cookies.clear_session(), cookies.session_name), (cookies.clear_transaction(name), name)):
        assert cleared.startswith(f"{cookie}=; ")
        assert "Max-Age=0" in cleared
        assert "Expires=Thu, 01 Jan 1970 00:00:00 GMT" in cleared


def test_a_login_cookie_is_named_after_its_state_and_does_not_show_it() -> None:
    state = secrets.token_urlsafe(32)
    name = SECURE.transaction_name(state)
    assert name.startswith("__Host-Http-bff-login-")
    assert len(name) == len("__Host-Http-bff-login-") + 16
    assert name == SECURE.transaction_name(state)
    assert name != SECURE.transaction_name(state + "x")
    assert state[:8] not in name


def test_two_gateways_on_one_host_do_not_take_each_others_cookies() -> None:
    other = SessionCookies("bff2", is_secure=True)
    name = other.transaction_name(STATE).encode()
    assert other.session_name != SECURE.session_name
    assert SECURE.transaction_names([(name, b"x")]) == []


def test_login_cookies_are_found_among_others_each_once_in_order() -> None:
    first, second = SECURE.transaction_name("1"), SECURE.transaction_name("2")
    pairs = [
        (b"__Host-Http-bff", b"session"),
        (second.encode(), b"x"),
        (b"__Host-Http-bff-login-", b"too short"),
        (first.encode() + b"0", b"too long"),
        (first.encode()[:-1] + b"G", b"no digit"),
        (first.upper().encode(), b"another case"),
        (b"x" + first.encode(), b"another prefix"),
        (first.encode()[:-1] + b"\xff", b"not ASCII"),
        (first.encode(), b"y"),
        (second.encode(), b"again"),
    ]
    assert SECURE.transaction_names(pairs) == [second, first]
