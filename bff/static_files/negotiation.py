"""Content coding and validators (RFC 9110 sections 12.5.3 and 13.1.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_CODING: Final = re.compile(
    rb"(?P<name>[A-Za-z0-9*_-]{1,20})(?:[ \t]*;[ \t]*[qQ][ \t]*=[ \t]*(?P<weight>[01](?:\.[0-9]{0,3})?))?"
)
_ETAG: Final = re.compile(rb'(?:W/)?("[!#-~\x80-\xff]*")')
_LONGEST: Final = 1024


def choose_coding(accept_encoding: bytes | None, available: Iterable[str]) -> str | None:
    """Return the available coding the client weighs highest, the earlier of two equal ones; None to send it as it is.

    What cannot be understood is not accepted; no coding at all is always acceptable to us, for it is what there is.
    """
    weights = _weights(accept_encoding)
    best, best_weight = None, 0.0
    for coding in available:
        weight = weights.get(coding, weights.get("*", 0.0))
        if weight > best_weight:
            best, best_weight = coding, weight
    return best if best_weight >= weights.get("identity", 0.0) else None


def matches(if_none_match: bytes | None, etag: str) -> bool:
    """Whether the client has the representation with this entity tag, compared weakly."""
    if if_none_match is None or len(if_none_match) > _LONGEST:
        return False
    if if_none_match.strip() == b"*":
        return True
    return etag.encode("ascii") in _ETAG.findall(if_none_match)


def _weights(accept_encoding: bytes | None) -> dict[str, float]:
    if accept_encoding is None or len(accept_encoding) > _LONGEST:
        return {}
    weights: dict[str, float] = {}
    for item in accept_encoding.split(b","):
        match = _CODING.fullmatch(item.strip(b" \t"))
        if match is not None:
            weights[match["name"].decode("ascii").lower()] = float(match["weight"] or b"1")
    return weights
