"""The request target: which part of it is the path, and what it becomes at the upstream.

Decisions are taken on the raw bytes that will be forwarded. What another parser could read differently (a dot segment
in any disguise, a backslash, a control character, a second meaning of `//`) is refused, never repaired.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote_to_bytes

from bff.errors import BadRequest

# Paths of such segments mean the same to everybody: no escapes, no parameters, none empty or beginning with a dot.
_SEGMENT = rb"[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9_~!$&'()*+,=:@.-]*+"
_PLAIN_PATH = re.compile(rb"/(?:%b(?:/%b)*+/?)?" % (_SEGMENT, _SEGMENT))
_QUERY = re.compile(rb"[!-\"$-~]*")  # visible ASCII but `#`
_PATH = re.compile(rb"/[!\"$-;=?-\[\]^-~]*")  # the same without `#`, `<`, `>` and the backslash
_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# `..;x` is a dot segment to servlet containers, which cut path parameters off first; `..?x` and `..#x` are to whoever
# decodes before he looks for query and fragment.
_AFTER_SEGMENT = re.compile(r"[;?#]")
# What legacy code pages, where text is forced into one, have in the place of a slash or a backslash.
_SLASHES = "\u00a5\u20a9\u2044\u2215\u2216"
_BEST_FIT = str.maketrans(dict.fromkeys(_SLASHES, "/"))
# Characters that are, or by decoding become, what gives a path its meaning.
_MEANING = frozenset("./\\;?#% 0123456789abcdefABCDEF" + _SLASHES)
_MOST_DECODINGS = 4
LONGEST_DOUBTFUL = 8 * 1024
"""Bytes of a path that needs a closer look, which costs more the longer it is; common servers take no longer one."""


def split_target(target: bytes) -> tuple[bytes, bytes | None]:
    """Return path and query of a request target in origin form (RFC 9112 section 3.2.1).

    Raises `BadRequest` for every other form, and for bytes no browser sends unescaped.
    """
    path, separator, query = target.partition(b"?")
    if _PATH.fullmatch(path) is None or (query and _QUERY.fullmatch(query) is None):
        raise BadRequest("target.form")
    return path, query if separator else None


def check_path(path: bytes) -> None:
    """Raise `BadRequest` if any reading of the path, by however lenient an upstream, could leave its own subtree."""
    if _PLAIN_PATH.fullmatch(path) is not None:
        return
    if len(path) > LONGEST_DOUBTFUL:
        raise BadRequest("target.length")
    if _PERCENT.search(path) is not None:
        raise BadRequest("target.percent_encoding")
    decoded = path
    for _ in range(_MOST_DECODINGS):
        further = unquote_to_bytes(_checked(decoded))
        if further == decoded:
            return
        decoded = further
    raise BadRequest("target.percent_encoding")


def _checked(path: bytes) -> str:
    """Return the text a lenient server would read, in which letters of full width have become ordinary ones."""
    try:
        text = path.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("target.utf8") from None
    if _CONTROL.search(text) is not None:
        raise BadRequest("target.control_character")
    if not text.isascii():
        text = _normalised(text)
    if "\\" in text:
        raise BadRequest("target.backslash")
    for segment in text.translate(_BEST_FIT).split("/"):
        if _AFTER_SEGMENT.split(segment, 1)[0].strip(" ") in (".", ".."):
            raise BadRequest("target.dot_segment")
    return text


def _normalised(text: str) -> str:
    """Return what normalisation (Unicode NFKC) makes of the text, as far as that has a meaning in a path."""
    normal = {ord(sign): unicodedata.normalize("NFKC", sign) for sign in set(text) if not sign.isascii()}
    return text.translate({code: signs for code, signs in normal.items() if not _MEANING.isdisjoint(signs)})


def upstream_target(path: bytes, query: bytes | None, *, prefix: bytes, upstream_path: bytes) -> bytes:
    """Return the target at the upstream: `prefix` replaced by `upstream_path`, every other byte kept.

    `path` must have passed `check_path` and begin with `prefix`. Raises `BadRequest` where the result would begin with
    `//`, which some servers take for an authority.
    """
    target = upstream_path + path[len(prefix) :]
    if target[:1] != b"/":
        target = b"/" + target
    if target[:2] == b"//":
        raise BadRequest("target.double_slash")
    return target if query is None else target + b"?" + query
