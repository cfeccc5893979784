"""The challenges of `WWW-Authenticate`: all forms of the grammar, and nothing outside it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.http.challenges import MAX_SIZE, Challenge, parse_challenges

BEARER = Challenge("bearer", {})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"Bearer", [BEARER]),
        (b"BEARER", [BEARER]),
        (b"Bearer ", [BEARER]),
        (b'Bearer realm="a"', [Challenge("bearer", {"realm": "a"})]),
        (b"Bearer realm=a", [Challenge("bearer", {"realm": "a"})]),
        (b'Bearer realm = "a" , error="b"', [Challenge("bearer", {"realm": "a", "error": "b"})]),
        (b'Bearer Realm="a, Basic b"', [Challenge("bearer", {"realm": "a, Basic b"})]),
        (b'Bearer realm="say \\"a\\" \\\\"', [Challenge("bearer", {"realm": 'say "a" \\'})]),
        (b'Bearer realm=""', [Challenge("bearer", {"realm": ""})]),
        (b'Basic realm="a", Bearer error="b"',
         [Challenge("basic", {"realm": "a"}), Challenge("bearer", {"error": "b"})]),
        (b"Basic, Bearer", [Challenge("basic", {}), BEARER]),
        (b"Negotiate abc==, Bearer error=b", [Challenge("negotiate", {}), Challenge("bearer", {"error": "b"})]),
        (b"Negotiate YWJj", [Challenge("negotiate", {})]),
        (b", ,Bearer,, error=b,", [Challenge("bearer", {"error": "b"})]),
        (b'DPoP algs="ES256 PS256", error="use_dpop_nonce"',
         [Challenge("dpop", {"algs": "ES256 PS256", "error": "use_dpop_nonce"})]),
        (b"Bearer realm=\"\xe4\"", [Challenge("bearer", {"realm": "\xe4"})]),
        (b"", []),
        (b",", []),
    ],
)  # fmt: skip
def test_challenges_are_read(line: bytes, expected: list[Challenge]) -> None:
    assert parse_challenges([line]) == expected


def test_several_lines_are_one_list() -> None:
    assert parse_challenges([b"Basic realm=a", b"Bearer error=b"]) == [
        Challenge("basic", {"realm": "a"}),
        Challenge("bearer", {"error": "b"}),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b'Bearer realm="a',
        b'Bearer realm="a" error="b"',
        b'Bearer realm="a",realm="b"',
        b'Bearer realm="a", REALM="b"',
        b'Bearer "a"',
        b'"Bearer" realm="a"',
        b"Bearer realm==a b",
        b'Bearer realm="a"x',
        b'Bearer realm="a\x00"',
        b"Bearer abc def",
        b"(Bearer)",
        b'Bearer error="a" , b c d',
        b"Bearer\terror=b",
    ],
)
def test_a_malformed_line_holds_no_challenge(line: bytes) -> None:
    assert parse_challenges([line]) == []
    assert parse_challenges([b"Bearer error=x", line]) == []


def test_what_is_too_long_or_too_many_holds_none() -> None:
    assert parse_challenges([b"Bearer realm=" + b"a" * MAX_SIZE]) == []
    assert parse_challenges([b", ".join([b"Bearer"] * 17)]) == []
    assert len(parse_challenges([b", ".join([b"Bearer"] * 16)])) == 16


@given(st.lists(st.one_of(st.binary(max_size=80), st.text(alphabet='Bearer=",\\ \ta', max_size=80).map(str.encode))))
def test_whatever_an_upstream_sends_is_read_or_not_without_another_error(values: list[bytes]) -> None:
    for challenge in parse_challenges(values):
        assert challenge.scheme
        assert challenge.scheme == challenge.scheme.lower()
