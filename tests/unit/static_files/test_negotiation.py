from __future__ import annotations

import pytest

from bff.static_files.negotiation import choose_coding, matches

AVAILABLE = ("br", "zstd", "gzip")


@pytest.mark.parametrize(
    ("accept_encoding", "chosen"),
    [
        (None, None),
        (b"", None),
        (b"gzip", "gzip"),
        (b"gzip, deflate, br, zstd", "br"),
        (b"gzip, zstd", "zstd"),
        (b"br;q=0.5, gzip;q=0.8", "gzip"),
        (b"br;q=0, gzip", "gzip"),
        (b"*", "br"),
        (b"*;q=0.1, gzip;q=0.2", "gzip"),
        (b"identity;q=1, gzip;q=0.5", None),
        (b"identity;q=0.5, gzip;q=0.5", "gzip"),
        (b"identity, gzip;q=0", None),
        (b"GZIP ; Q=1.0", "gzip"),
        (b"deflate", None),
        (b"gzip;q=2", None),
        (b"gzip;q=x", None),
        (b"gzip;x=1", None),
        (b"gzip" + b" " * 2000, None),
    ],
)
def test_the_coding_the_client_weighs_highest_is_chosen(accept_encoding: bytes | None, chosen: str | None) -> None:
    assert choose_coding(accept_encoding, AVAILABLE) == chosen


@pytest.mark.parametrize(
    ("if_none_match", "is_match"),
    [
        (None, False),
        (b'"abc"', True),
        (b'W/"abc"', True),
        (b'"x", "abc"', True),
        (b" * ", True),
        (b'"x"', False),
        (b"abc", False),
        (b'"abc', False),
        (b'"abc"' + b" " * 2000, False),
    ],
)
def test_entity_tags_are_compared_weakly(if_none_match: bytes | None, is_match: bool) -> None:
    assert matches(if_none_match, '"abc"') is is_match
