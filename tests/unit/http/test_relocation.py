"""Where an upstream redirects to."""

from __future__ import annotations

import pytest

from bff.http.relocation import Relocation

V1 = Relocation(host=b"api.internal:8080", path=b"/v1", prefix=b"/api")


@pytest.mark.parametrize(
    "location, expected",
    [
        (b"http://api.internal:8080/v1/x/?a=b#c", b"/api/x/?a=b#c"),
        (b"https://API.internal:8080/v1/x", b"/api/x"),
        (b"http://api.internal:8080/v1", b"/api"),
        (b"http://api.internal:8080/v1?a", b"/api?a"),
        (b"http://api.internal:8080/v1//evil.example", b"/api//evil.example"),
    ],
)
def test_the_upstreams_own_address_becomes_the_routes(location: bytes, expected: bytes) -> None:
    assert V1.of(location) == expected


@pytest.mark.parametrize(
    "location",
    [
        b"/v1/x",
        b"x",
        b"",
        b"http://api.internal:8080/v2/x",
        b"http://api.internal:8080/v12",
        b"http://api.internal:8080/V1/x",
        b"http://api.internal/v1/x",
        b"http://api.internal:8080@evil.example/v1",
        b"http://api.internal:80801/v1/x",
        b"http://apixinternal:8080/v1/x",
        b"//api.internal:8080/v1/x",
        b"https://login.example/authorize?next=http://api.internal:8080/v1/x",
    ],
)
def test_every_other_address_passes_as_it_is(location: bytes) -> None:
    assert V1.of(location) == location


@pytest.mark.parametrize(
    "location, expected",
    [
        (b"http://localhost:5173/x", b"/x"),
        (b"http://localhost:5173", b"/"),
        (b"http://localhost:5173?x", b"/?x"),
        (b"http://localhost:5173//evil.example", b"http://localhost:5173//evil.example"),
        (b"http://localhost:5173/\\evil.example", b"http://localhost:5173/\\evil.example"),
    ],
)
def test_nothing_becomes_an_address_elsewhere(location: bytes, expected: bytes) -> None:
    assert Relocation(host=b"localhost:5173", path=b"", prefix=b"").of(location) == expected
