"""Cookies read from the raw request bytes.

Frameworks fold duplicates, trim exotic white space and unquote values, all of which an attacker on a sibling domain
can use to slip a cookie under a protected name. Here a name matches to the byte or not at all.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator


def cookie_pairs(cookie_headers: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and value of every cookie in the `Cookie` field values (RFC 6265 section 4.2.1), untouched.

    Only the SP and HTAB around a pair are dropped. A pair without `=` or with an empty name is no cookie.
    """
    for field_value in cookie_headers:
        for pair in field_value.split(b";"):
            name, separator, value = pair.partition(b"=")
            name = name.strip(b" \t")
            if separator and name:
                yield name, value.strip(b" \t")


@functools.lru_cache(maxsize=16)
def _pairs_named(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?:^|;)[ \t]*%b[ \t]*=([^;]*)" % re.escape(name))


def cookie_values(cookie_headers: Iterable[bytes], name: bytes) -> list[bytes]:
    """Return every value given for the cookie of exactly that name, in order; the same as `cookie_pairs` has."""
    find = _pairs_named(name).findall
    return [value.strip(b" \t") for field_value in cookie_headers for value in find(field_value)]
