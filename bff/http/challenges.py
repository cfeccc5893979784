"""The challenges of an answer's `WWW-Authenticate` fields (RFC 9110 section 11.6.1), read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_SIZE: Final = 8 * 1024
_MOST_CHALLENGES = 16

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_PARAMETER = re.compile(rb"(%b)[ \t]*=[ \t]*(%b|%b)" % (_TOKEN, _TOKEN, _QUOTED))
_SCHEME = re.compile(rb"(%b)(?: +|(?=[ \t]*(?:,|$)))" % _TOKEN)
_TOKEN68 = re.compile(rb"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
_SEPARATOR = re.compile(rb"[ \t]*(?:,[ \t]*)+")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: scheme and names of parameters in lower case, values as the upstream wrote them."""

    scheme: str
    parameters: dict[str, str]


def parse_challenges(values: Iterable[bytes]) -> list[Challenge]:
    """Return the challenges of all field lines; none at all if any of them is malformed, too long or too many.

    A parameter that comes twice in one challenge is malformed too (RFC 9110 section 11.2).
    """
    line = b", ".join(values)
    if len(line) > MAX_SIZE:
        return []
    found: list[Challenge] = []
    start = _SEPARATOR.match(line)
    position = 0 if start is None else start.end()
    while position < len(line):
        match = _PARAMETER.match(line, position)
        if match is not None and found:
            name, value = match[1].decode("ascii").lower(), _value(match[2])
            if name in found[-1].parameters:
                return []
            found[-1].parameters[name] = value
        else:
            match = _SCHEME.match(line, position)
            if match is None or len(found) == _MOST_CHALLENGES:
                return []
            found.append(Challenge(match[1].decode("ascii").lower(), {}))
            position = match.end()
            # What follows is a token68, the first parameter, or nothing.
            if _PARAMETER.match(line, position) is not None:
                continue
            match = _TOKEN68.match(line, position) or match
        position = match.end()
        separator = _SEPARATOR.match(line, position)
        if separator is None:
            return [] if line[position:].strip(b" \t") else found
        position = separator.end()
    return found


def demands_dpop_nonce(values: Iterable[bytes]) -> bool:
    """Whether one of the challenges asks for a proof with the server's nonce (RFC 9449 section 9)."""
    return any(
        challenge.scheme == "dpop" and challenge.parameters.get("error") == "use_dpop_nonce"
        for challenge in parse_challenges(values)
    )


def _value(raw: bytes) -> str:
    return (_ESCAPED.sub(rb"\1", raw[1:-1]) if raw.startswith(b'"') else raw).decode("latin-1")
