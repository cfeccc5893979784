"""Proofs of possession (RFC 9449)."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.oauth.dpop import MAX_NONCE, DpopKey, is_nonce_demand, new_dpop_key, parse_nonce, supports_dpop
from tests.support.dpop_verifier import DpopVerifier
from tests.support.signed_tokens import NOW

URL = "https://api.example/v1/sheets"


def proof(key: DpopKey, **changes: Any) -> str:
    arguments: dict[str, Any] = {
        "method": "GET",
        "url": URL,
        "now": NOW,
        "random_bytes": secrets.token_bytes,
        **changes,
    }
    return key.proof(**arguments)


def test_a_strict_server_takes_the_proof_and_knows_the_key() -> None:
    key, server = new_dpop_key(secrets.token_bytes), DpopVerifier()
    assert server.verify(proof(key), method="GET", url=URL, now=NOW) == key.thumbprint


def test_token_and_nonce_are_in_the_proof_where_there_are_any() -> None:
    key = new_dpop_key(secrets.token_bytes)
    made = proof(key, method="POST", access_token="a-token", nonce="a-nonce")
    DpopVerifier().verify(made, method="POST", url=URL, now=NOW, access_token="a-token", nonce="a-nonce")


@pytest.mark.parametrize("rest", ["?a=b", "#c", "?a=b#c", "#c?d"])
def test_the_proof_names_the_url_without_query_and_fragment(rest: str) -> None:
    DpopVerifier().verify(proof(new_dpop_key(secrets.token_bytes), url=URL + rest), method="GET", url=URL, now=NOW)


def test_no_two_proofs_are_alike() -> None:
    key, server = new_dpop_key(secrets.token_bytes), DpopVerifier()
    for _ in range(20):
        server.verify(proof(key), method="GET", url=URL, now=NOW)


def test_a_key_is_the_same_after_it_was_kept() -> None:
    key = new_dpop_key(secrets.token_bytes)
    kept = DpopKey(key.encoded)
    assert (len(key.encoded), kept.encoded, kept.thumbprint) == (96, key.encoded, key.thumbprint)
    assert DpopVerifier().verify(proof(kept), method="GET", url=URL, now=NOW) == key.thumbprint


def test_every_key_is_another_and_comes_from_the_random_bytes_alone() -> None:
    assert new_dpop_key(secrets.token_bytes).encoded != new_dpop_key(secrets.token_bytes).encoded
    assert new_dpop_key(lambda size: b"\x07" * size).encoded == new_dpop_key(lambda size: b"\x07" * size).encoded


@pytest.mark.parametrize("random", [b"\x00", b"\xff"])
def test_even_the_ends_of_chance_are_keys(random: bytes) -> None:
    key = new_dpop_key(lambda size: random * size)
    assert DpopVerifier().verify(proof(key), method="GET", url=URL, now=NOW) == key.thumbprint


def test_a_key_does_not_show_itself() -> None:
    key = new_dpop_key(secrets.token_bytes)
    assert repr(key) == "DpopKey(…)"
    private = key.encoded[:32]
    made = proof(key)
    assert all(spelling not in made for spelling in (private.hex(), str(int.from_bytes(private))))


@pytest.mark.parametrize("encoded", [b"", b"\x01" * 95, b"\x01" * 97, b"\x01" * 96])
def test_what_is_no_key_is_refused(encoded: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- ours for the length, the library's for the point
        DpopKey(encoded)


@pytest.mark.parametrize(
    "algorithms, expected", [(None, False), ((), False), (("RS256",), False), (("PS256", "ES256"), True)]
)
def test_a_provider_supports_it_if_it_lists_the_algorithm(algorithms: tuple[str, ...] | None, expected: bool) -> None:
    assert supports_dpop(algorithms) is expected


@pytest.mark.parametrize(
    "status, body, expected",
    [
        (400, b'{"error":"use_dpop_nonce"}', True),
        (401, b'{"error":"use_dpop_nonce"}', True),
        (200, b'{"error":"use_dpop_nonce"}', False),
        (400, b'{"error":"invalid_grant"}', False),
        (400, b'{"error":"use_dpop_nonce"', False),
        (400, b"", False),
        (500, b'{"error":"use_dpop_nonce"}', False),
    ],
)
def test_a_refusal_for_want_of_the_nonce_is_known_by_status_and_error(status: int, body: bytes, expected: bool) -> None:
    assert is_nonce_demand(status, body) is expected


@pytest.mark.parametrize("value", ["a", "eyJ7S_zG.eyJH0-Z.HX4w-7v", "!#[]~", "n" * MAX_NONCE])
def test_a_nonce_is_taken_as_it_is(value: str) -> None:
    assert parse_nonce(value) == value


@pytest.mark.parametrize("value", [None, "", " ", "a b", 'a"b', "a\\b", "a\x00", "ä", "n" * (MAX_NONCE + 1)])
def test_what_is_no_nonce_is_never_sent_back(value: str | None) -> None:
    assert parse_nonce(value) is None


@given(st.text(max_size=50))
def test_no_nonce_breaks_a_header_or_a_proof(value: str) -> None:
    nonce = parse_nonce(value)
    assert nonce is None or (nonce.isascii() and nonce.isprintable() and nonce == value)
