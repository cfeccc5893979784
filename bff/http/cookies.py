"""Cookies read from the raw request bytes.

Frameworks fold duplicates, trim exotic white space and unquote values, all of which an attacker on a sibling domain
can use to slip a cookie under a protected name. Here a name matches to the byte or not at all.
"""

from __future__ import annotations

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


def cookie_values(cookie_headers: Iterable[bytes], name: bytes) -> list[bytes]:
    """Return every value given for the cookie of exactly that name, in order."""
    values = []
    for field_value in cookie_headers:
        for pair in field_value.split(b";"):
            if name in pair:
                pair_name, separator, value = pair.partition(b"=")
                if separator and pair_name.strip(b" \t") == name:
                    values.append(value.strip(b" \t"))
    return values
