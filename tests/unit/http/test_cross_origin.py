"""The cross-origin verdict: only our own pages may use the session cookie."""

from __future__ import annotations

import pytest

from bff.http.cross_origin import is_same_origin

ORIGIN = b"https://app.example"


def verdict(
    method: bytes = b"POST", *, site: bytes | None = None, origin: bytes | None = None, x_csrf: bytes | None = None
) -> bool:
    return is_same_origin(method, sec_fetch_site=site, origin=origin, x_csrf=x_csrf, public_origin=ORIGIN)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT", b"PATCH", b"DELETE", b"QUERY"])
def test_our_own_pages_may_use_every_method(method: bytes) -> None:
    assert verdict(method, site=b"same-origin")
    assert verdict(method, site=b"same-origin", origin=ORIGIN)
    assert verdict(method, site=b"same-origin", origin=b"null")
    assert verdict(method, origin=ORIGIN)
    assert verdict(method, x_csrf=b"1")


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"", b"Same-Origin", b"same-origin ", b"unknown"])
def test_fetch_metadata_alone_decides_where_it_is_sent(site: bytes) -> None:
    for method in (b"GET", b"POST"):
        assert not verdict(method, site=site, origin=ORIGIN, x_csrf=b"1")


@pytest.mark.parametrize(
    "method, may",
    [(b"GET", True), (b"HEAD", True), (b"OPTIONS", True), (b"POST", False), (b"DELETE", False), (b"get", False)],
)
def test_what_a_person_typed_may_only_read(method: bytes, may: bool) -> None:
    assert verdict(method, site=b"none") is may


@pytest.mark.parametrize(
    "origin",
    [
        b"https://evil.example",
        b"null",
        b"",
        b"http://app.example",
        b"https://app.example:444",
        b"https://app.example.",
        b"https://app.example/",
        b"HTTPS://app.example",
        b"https://app.example.evil.example",
        b"https://evil.app.example",
    ],
)
def test_without_fetch_metadata_the_origin_must_be_ours_to_the_byte(origin: bytes) -> None:
    for method in (b"GET", b"POST"):
        assert not verdict(method, origin=origin, x_csrf=b"1")


@pytest.mark.parametrize("value", [None, b"", b"0", b"true", b"1 ", b"11"])
def test_without_either_the_header_must_be_there(value: bytes | None) -> None:
    assert not verdict(b"GET", x_csrf=value)
    assert not verdict(b"POST", x_csrf=value)


@pytest.mark.parametrize("field", ["site", "origin", "x_csrf"])
def test_a_field_sent_twice_counts_as_none_of_its_values(field: str) -> None:
    good = {"site": b"same-origin", "origin": ORIGIN, "x_csrf": b"1"}[field]
    assert verdict(**{field: good})
    assert not verdict(**{field: good + b", " + good})
