"""The Host field: exactly one, well formed, ours."""

from __future__ import annotations

import pytest

from bff.http.hosts import names_us, parse_host
from tests.support.corpus import cases, octets

CORPUS = [
    (octets(value) if value.isascii() or max(value) <= "\xff" else value.encode(), name, ours)
    for value, name, ours in cases("hosts.txt")
]


def test_the_corpus_holds_more_than_a_hundred_values() -> None:
    assert len(CORPUS) > 130


@pytest.mark.parametrize("value, name, is_ours", CORPUS, ids=lambda part: ascii(part)[:50])
def test_a_host_is_well_formed_and_ours_or_refused(value: bytes, name: str | None, is_ours: bool) -> None:
    host = parse_host([value])
    assert host == name
    assert (host is not None and names_us(host, "app.example")) is is_ours


@pytest.mark.parametrize("values", [[], [b"app.example", b"app.example"], [b"app.example", b"evil.example"]])
def test_there_is_exactly_one(values: list[bytes]) -> None:
    assert parse_host(values) is None


def test_the_public_name_is_compared_without_case() -> None:
    assert names_us("app.example", "App.Example")
    assert not names_us("app.example", "other.example")


def test_a_public_address_is_ours() -> None:
    assert names_us("[2001:db8::1]", "2001:db8::1")
