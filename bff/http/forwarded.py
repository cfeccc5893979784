"""Who the client is, and what upstreams are told about it (RFC 7239 and the X-Forwarded-* fields before it)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_MOST_HOPS = 32
_ZONE = re.compile("[A-Za-z0-9._-]{1,32}")  # what a network interface is called; the library takes any text


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and _ZONE.fullmatch(address.scope_id or "0") is None:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_trusted(text: str, trusted: Sequence[Network]) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in trusted if network.version == address.version)


def client_address(
    peer: str, x_forwarded_for: Sequence[bytes], trusted: Sequence[Network], *, forwarded: Sequence[bytes] = ()
) -> str:
    """Return the address of the client: the rightmost hop that is not one of our own proxies.

    `X-Forwarded-For`, or where there is none `Forwarded`, is believed only from a trusted peer, and from right to left
    only as far as each hop is trusted; an entry that is no address ends the walk at the last hop that was one.
    """
    if not trusted or not _is_trusted(peer, trusted):
        return peer
    elements = b",".join(x_forwarded_for or forwarded).decode("latin-1").split(",")[-_MOST_HOPS:]
    hops = elements if x_forwarded_for else [_node(element) for element in elements]
    client = peer
    for hop in reversed(hops):
        address = _address(hop)
        if address is None:
            break
        client = str(address)
        if not _is_trusted(client, trusted):
            break
    return client


def _node(element: str) -> str:
    """Return what a `Forwarded` element says in its one `for` (RFC 7239 section 6), nothing if it has none or two."""
    pairs = [pair.partition("=") for pair in element.split(";")]
    nodes = [value.strip().strip('"') for name, _, value in pairs if name.strip().lower() == "for"]
    return nodes[0] if len(nodes) == 1 else ""


def forwarded_fields(client: str, *, public_host: str, scheme: str) -> bytes:
    """Return the header lines, each with its CRLF, that tell an upstream whom the request came from."""
    node = f'"[{client}]"' if ":" in client else client
    return (
        f"X-Forwarded-For: {client}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Host: {public_host}\r\n"
        f'Forwarded: for={node};host="{public_host}";proto={scheme}\r\n'
    ).encode("ascii", "replace")
