"""How the length of a body is told, for requests and answers alike (RFC 9112 section 6): plainly, or not at all."""

from __future__ import annotations

from collections.abc import Callable

from bff.errors import GatewayError

_MOST_DIGITS = 18


def content_length(values: list[bytes] | None, fault: Callable[[str], GatewayError]) -> int | None:
    """Return the one length given in bytes, None if none is; raises `fault("….content_length")` for anything else."""
    if not values:
        return None
    value = values[0].strip(b" \t")
    if len(values) != 1 or not value.isdigit() or len(value) > _MOST_DIGITS:
        raise fault("content_length")
    return int(value)


def is_chunked(values: list[bytes] | None, fault: Callable[[str], GatewayError]) -> bool:
    """Return whether the body is chunked; raises `fault("….transfer_encoding")` for all but `chunked` alone."""
    if not values:
        return False
    if len(values) != 1 or values[0].strip(b" \t").lower() != b"chunked":
        raise fault("transfer_encoding")
    return True
