"""JSON from the outside world, read as I-JSON (RFC 7493): what two parsers could understand differently is refused."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 32
_LARGEST_INTEGER = 2**63


class MalformedDocument(ValueError):
    """The bytes are not one I-JSON object within the limits."""


def parse_object(document: bytes, *, max_size: int, may_repeat: bool = False) -> dict[str, Any]:
    """Return the JSON object in `document`, at most `max_size` bytes long; raises `MalformedDocument`.

    Refused besides bad syntax and bad UTF-8: duplicate members, lone surrogates, numbers that are not finite or
    need more than 64 bits, nesting deeper than `MAX_DEPTH` (RFC 7493 section 2). With `may_repeat` a member may come
    again with the same text, which every parser understands the same.
    """
    if len(document) > max_size:
        raise MalformedDocument
    try:
        value = json.loads(
            document.decode("utf-8"),
            object_pairs_hook=_repeated_members if may_repeat else _unique_members,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        # Without the cause: its text would carry the document into a traceback.
        raise MalformedDocument from None
    if not isinstance(value, dict):
        raise MalformedDocument
    _check(value, MAX_DEPTH)
    return value


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedDocument
    return members


def _repeated_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    texts = dict.fromkeys(pair for pair in pairs if isinstance(pair[1], str))
    others = [pair for pair in pairs if not isinstance(pair[1], str)]
    return _unique_members([*texts, *others])


def _refuse_constant(_: str) -> NoReturn:
    raise MalformedDocument


def _check(value: Any, depth: int) -> None:
    if depth < 0:
        raise MalformedDocument
    match value:
        case dict():
            for name, member in value.items():
                _check(name, depth)
                _check(member, depth - 1)
        case list():
            for element in value:
                _check(element, depth - 1)
        case str():
            _check_text(value)
        case float():
            if not math.isfinite(value):
                raise MalformedDocument
        case int():
            if not -_LARGEST_INTEGER <= value < _LARGEST_INTEGER:
                raise MalformedDocument


def _check_text(value: str) -> None:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedDocument from None
