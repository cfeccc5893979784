"""Where the browser goes after a login or logout: a path of this origin, or the default."""

from __future__ import annotations

import re
from typing import NewType
from urllib.parse import unquote_to_bytes

ReturnPath = NewType("ReturnPath", str)

MAX_LENGTH = 2048
LOGIN_ERROR = "login_error"

# Visible ASCII that browsers leave as it is in a path, query or fragment; a backslash is a slash to them.
_CHARACTERS = re.compile(r"[!#-;=?-\[\]-~]+", re.ASCII)
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.ASCII | re.IGNORECASE)
_FOREIGN_OCTET = re.compile(rb"[\x00-\x1f\x7f\\]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)


def parse_return_to(value: str | None, default: str = "/") -> ReturnPath:
    """Return `value` unchanged if it is a path of this origin, with or without query and fragment, else `default`.

    Nothing is repaired or cut. Also refused are the gateway's own endpoints, for a login that returns to the login
    never ends, and paths that a second reader could take for something else: dot segments, encoded backslashes or
    control characters, an encoded slash where a host could follow.
    """
    return ReturnPath(value if value is not None and is_return_path(value) else default)


def with_login_error(path: str, error: str) -> ReturnPath:
    """Return the path with a parameter that tells the application why nobody is logged in; `error` is a plain word."""
    before, mark, fragment = without_login_error(path).partition("#")
    return ReturnPath(f"{before}{'&' if '?' in before else '?'}{LOGIN_ERROR}={error}{mark}{fragment}")


def without_login_error(path: str) -> ReturnPath:
    """Return the path without that parameter, for an application that sends its own address back."""
    before, mark, fragment = path.partition("#")
    address, _, query = before.partition("?")
    kept = [pair for pair in query.split("&") if pair.partition("=")[0] != LOGIN_ERROR]
    if len(kept) == query.count("&") + 1:
        return ReturnPath(path)
    joined = "&".join(kept)
    return ReturnPath(f"{address}{'?' if joined else ''}{joined}{mark}{fragment}")


def is_return_path(value: str) -> bool:
    """Whether every browser resolves `value` to a page of this origin that is not an endpoint of the gateway."""
    if len(value) > MAX_LENGTH or not value.startswith("/") or not _CHARACTERS.fullmatch(value):
        return False
    path = re.split(r"[?#]", value, maxsplit=1)[0]
    if _BAD_ESCAPE.search(path) or _DOT_SEGMENT.search(path):
        return False
    decoded = unquote_to_bytes(path)
    if decoded.startswith(b"//") or _FOREIGN_OCTET.search(decoded):
        return False
    return decoded != b"/bff" and not decoded.startswith(b"/bff/")
