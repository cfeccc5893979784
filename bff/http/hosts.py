"""The `Host` field: exactly one, well formed, and naming us (RFC 9112 section 3.2)."""

from __future__ import annotations

import ipaddress
import re

_AUTHORITY = re.compile(
    rb"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*\.?)"
    rb"(?::(?P<port>[0-9]{1,5}))?"
)
_LONGEST = 300


def parse_host(field_values: list[bytes]) -> str | None:
    """Return the host name in lower case, without port and final dot; None unless there is exactly one valid value."""
    if len(field_values) != 1 or len(field_values[0]) > _LONGEST:
        return None
    match = _AUTHORITY.fullmatch(field_values[0])
    if match is None:
        return None
    return match["host"].decode("ascii").lower().rstrip(".")


def names_us(host: str, public_hostname: str) -> bool:
    """Whether a host name is one that this gateway answers for.

    That is the public one, and addresses and `localhost`, by which probes reach an instance. A name of somebody
    else's that resolves to us (DNS rebinding) is none of ours.
    """
    if host in (public_hostname.lower(), "localhost"):
        return True
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
