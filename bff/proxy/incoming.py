"""A request as the parser delivers it, and the limits its head must keep to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bff.errors import BadRequest, HeadersTooLarge
from bff.http.hosts import names_us, parse_host
from bff.http.targets import split_target

if TYPE_CHECKING:
    from bff.http.request_head import RequestHead

HEAD_LIMIT = 32 * 1024
FIELD_LIMIT = 100
_VERSIONS = frozenset({"1.1", "1.0"})
_FRAMING = (b"content-length", b"transfer-encoding")
# Asked for by machines under whatever name they know the gateway by; nothing they answer depends on a cookie.
_ANY_HOST = frozenset({b"/healthz", b"/readyz", b"/bff/backchannel-logout"})


class Incoming(msgspec.Struct, eq=False, kw_only=True):
    """One request; `body` holds what came of it while the request before it was still being answered.

    `read_size` is how much was read from the socket until the head was complete, where the head began with a read.
    """

    method: bytes
    target: bytes
    fields: list[tuple[bytes, bytes]]
    version: str
    is_upgrade: bool
    keep_alive: bool
    read_size: int | None
    body: list[bytes] = []
    is_complete: bool = False


def judge(incoming: Incoming) -> tuple[bytes, bytes | None]:
    """Return raw path and query of a request whose head is within the limits and cannot be read in two ways.

    The head is measured only where it can be too large. Raises `BadRequest` and `HeadersTooLarge`.
    """
    fields, version, read_size = incoming.fields, incoming.version, incoming.read_size
    if version not in _VERSIONS:
        raise BadRequest("head.version")
    if len(fields) > FIELD_LIMIT:
        raise HeadersTooLarge("head.fields")
    if read_size is None or read_size > HEAD_LIMIT:
        size = sum(len(name) + len(value) + 4 for name, value in fields) + len(incoming.target)
        if size > HEAD_LIMIT:
            raise HeadersTooLarge("head.size")
    if version == "1.0" and any(name.lower() == b"transfer-encoding" for name, _ in fields):
        # HTTP/1.0 knows no chunks, so whoever passed this on may have ended it elsewhere (RFC 9112 section 6.1).
        raise BadRequest("framing.version")
    if incoming.is_upgrade and any(name.lower() in _FRAMING for name, _ in fields):
        # The parser takes what follows the head for another protocol, the sender may take it for a body.
        raise BadRequest("framing.upgrade")
    return split_target(incoming.target)


def check_host(head: RequestHead, path: bytes, public_host: bytes, public_hostname: str) -> None:
    """Raise `BadRequest` unless there is exactly one `Host`, well formed and one of our names.

    `public_host` is the public one as browsers write it.
    """
    if head.single(b"host") == public_host:
        return
    host = parse_host(head.all(b"host"))
    if host is None:
        raise BadRequest("host.malformed")
    if path not in _ANY_HOST and not names_us(host, public_hostname):
        raise BadRequest("host.foreign")
