"""Parameters of a request in form encoding, each at most once (RFC 6749 section 3.1, appendix B)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_WELL_FORMED = re.compile(r"(?:[!$&-~]|%[0-9A-Fa-f]{2})*", re.ASCII)


class MalformedQuery(ValueError):
    """The parameters cannot be read, or one of them comes twice."""


def parse_parameters(query: bytes | str, *, max_size: int) -> dict[str, str]:
    """Return the parameters by name; raises `MalformedQuery`.

    Refused: more than `max_size` bytes, raw octets that no URL holds, bad percent-encoding, bad UTF-8, any name
    that comes twice, even with the same value.
    """
    text = query if isinstance(query, str) else query.decode("latin-1")
    if len(text) > max_size or not _WELL_FORMED.fullmatch(text):
        raise MalformedQuery
    parameters: dict[str, str] = {}
    for pair in text.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        decoded = _decode(name)
        if decoded in parameters:
            raise MalformedQuery
        parameters[decoded] = _decode(value)
    return parameters


def _decode(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedQuery from None
