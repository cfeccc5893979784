"""The header section an upstream gets: the one place where an access token comes into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bff.http.request_head import RequestHead


def upstream_head(
    method: bytes,
    target: bytes,
    head: RequestHead,
    *,
    host_line: bytes,
    forwarded: bytes,
    request_id: str,
    access_token: str | None,
    upgrades: bool = False,
) -> bytes:
    """Return request line and fields: what passes of the browser's, then ours, which nothing of theirs can undo."""
    parts = [method, b" ", target, b" HTTP/1.1\r\n", host_line]
    parts += head.passing
    parts.append(forwarded)
    parts.append(b"X-Request-Id: %b\r\n" % request_id.encode("ascii"))
    if access_token is not None:
        parts.append(b"Authorization: Bearer %b\r\n" % access_token.encode("ascii"))
    if upgrades:
        parts.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
    if head.is_chunked:
        parts.append(b"Transfer-Encoding: chunked\r\n\r\n")
    elif head.content_length is not None:
        parts.append(b"Content-Length: %d\r\n\r\n" % head.content_length)
    else:
        parts.append(b"\r\n")
    return b"".join(parts)


def with_bound_token(head: bytes, fields: bytes) -> bytes:
    """Return such a section with the header lines that present a token and its proof (RFC 9449 section 7.1)."""
    request_line, end, rest = head.partition(b"\r\n")
    return b"".join((request_line, end, fields, rest))
