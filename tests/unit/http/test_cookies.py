"""Cookies from the raw bytes: a name matches to the byte or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.http.cookies import cookie_pairs, cookie_values
from tests.support.corpus import cases, octets

CORPUS = [
    ([octets(header) for header in headers], [octets(value) for value in values])
    for headers, values in cases("cookie_headers.txt")
]


def test_the_corpus_holds_hundreds_of_cases() -> None:
    assert len(CORPUS) > 190


@pytest.mark.parametrize("headers, values", CORPUS, ids=lambda part: ascii(part)[:60])
def test_only_the_cookie_of_exactly_that_name_is_read(headers: list[bytes], values: list[bytes]) -> None:
    assert cookie_values(headers, b"bff") == values


def test_every_pair_is_read_in_order_and_untouched() -> None:
    assert list(cookie_pairs([b'a=1; b="2"; ;=x; c', b"a=3;d=e=f"])) == [
        (b"a", b"1"),
        (b"b", b'"2"'),
        (b"a", b"3"),
        (b"d", b"e=f"),
    ]


@given(st.lists(st.binary(max_size=30), max_size=4), st.binary(min_size=1, max_size=4))
def test_a_foreign_name_yields_nothing_and_nothing_crashes(headers: list[bytes], name: bytes) -> None:
    wanted = [header for header in headers if name in header]
    assert len(cookie_values(headers, name)) <= sum(header.count(name) for header in wanted)


@given(st.lists(st.tuples(st.text("abc_-", min_size=1), st.text("xyz=\"' ", max_size=5)), max_size=8))
def test_what_was_written_is_read(pairs: list[tuple[str, str]]) -> None:
    header = "; ".join(f"{name}={value}" for name, value in pairs).encode()
    assert list(cookie_pairs([header])) == [(name.encode(), value.strip().encode()) for name, value in pairs]


_PIECES = st.sampled_from(
    (b"bff", b"b", b"ff", b";", b"=", b" ", b"\t", b'"', b"\xa0", b"\x85", b"\n", b"\x0b", b"BFF")
)


@given(st.lists(st.lists(_PIECES, max_size=20).map(b"".join), max_size=3))
def test_looking_for_one_name_and_reading_all_pairs_find_the_same(headers: list[bytes]) -> None:
    assert cookie_values(headers, b"bff") == [value for name, value in cookie_pairs(headers) if name == b"bff"]
