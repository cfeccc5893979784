"""The opening handshake of a WebSocket (RFC 6455 section 4), as pure functions."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Final

from bff.errors import BadRequest, CrossOriginRejected, UpstreamUnavailable

if TYPE_CHECKING:
    from bff.http.request_head import RequestHead

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KNOWN_EXTENSIONS: Final = frozenset({b"permessage-deflate"})
_PASSED: Final = frozenset({b"sec-websocket-protocol", b"sec-websocket-extensions"})


def is_handshake(head: RequestHead) -> bool:
    """Whether the request asks for a WebSocket; whether it may have one is for `check_handshake`."""
    return any(b"websocket" in value.lower() for value in head.all(b"upgrade"))


def check_handshake(method: bytes, head: RequestHead, *, is_http_11: bool, public_origin: bytes) -> None:
    """Raise unless this is a complete handshake made by a page of ours.

    Browsers send cookies with WebSockets of any page and ask nobody first, so the `Origin` must be exactly ours: raises
    `CrossOriginRejected`. Raises `BadRequest` for what is no handshake of version 13.
    """
    if head.single(b"origin") != public_origin:
        raise CrossOriginRejected("cross_origin.websocket")
    connection = {token.strip(b" \t").lower() for value in head.all(b"connection") for token in value.split(b",")}
    upgrade = head.single(b"upgrade")
    if (
        method != b"GET"
        or not is_http_11
        or b"upgrade" not in connection
        or upgrade is None
        or upgrade.strip(b" \t").lower() != b"websocket"
        or head.single(b"sec-websocket-version") != b"13"
        or not _is_key(head.single(b"sec-websocket-key"))
    ):
        raise BadRequest("websocket.handshake")


def _is_key(value: bytes | None) -> bool:
    try:
        return value is not None and len(base64.b64decode(value, validate=True)) == 16
    except binascii.Error:
        return False


def _extensions(answer: list[tuple[bytes, bytes]]) -> frozenset[bytes]:
    values = [value for name, value in answer if name.lower() == b"sec-websocket-extensions"]
    names = (item.partition(b";")[0].strip(b" \t").lower() for value in values for item in value.split(b","))
    return frozenset(name for name in names if name)


def is_compressed(answer: list[tuple[bytes, bytes]]) -> bool:
    """Whether the upstream has agreed to compressed messages (RFC 7692)."""
    return b"permessage-deflate" in _extensions(answer)


def switching_head(head: RequestHead, answer: list[tuple[bytes, bytes]], *, request_id: str) -> bytes:
    """Return the 101 for the browser; raises `UpstreamUnavailable` unless the upstream proves that it agreed."""
    if not _extensions(answer) <= _KNOWN_EXTENSIONS:
        # Frames of an extension we do not know could not be told apart.
        raise UpstreamUnavailable("upstream.websocket_extension")
    fields = {name.lower(): value for name, value in answer}
    key = head.single(b"sec-websocket-key") or b""
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    if fields.get(b"upgrade", b"").lower() != b"websocket" or fields.get(b"sec-websocket-accept") != accept:
        raise UpstreamUnavailable("upstream.websocket_handshake")
    lines = [b"%b: %b\r\n" % (name, value) for name, value in answer if name.lower() in _PASSED]
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\nX-Request-Id: %b\r\n%b\r\n"
        % (accept, request_id.encode("ascii"), b"".join(lines))
    )
