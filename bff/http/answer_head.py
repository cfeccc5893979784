"""An upstream's answer as the browser gets it: filtered, framed anew, and kept out of shared caches."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from bff.errors import UpstreamUnavailable
from bff.http.framing import content_length, is_chunked
from bff.http.relocation import Relocation

# Fields of one hop, those we write ourselves, and those by which one upstream would speak for the whole origin: delete
# its cookies, move its traffic to another host, have its addresses reported, or command the server in front of us.
_WITHHELD: Final = frozenset(
    {
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"te",
        b"trailer",
        b"upgrade",
        b"alt-svc",
        b"clear-site-data",
        b"dpop-nonce",
        b"strict-transport-security",
        b"public-key-pins",
        b"nel",
        b"report-to",
        b"service-worker-allowed",
        b"set-cookie2",
        b"x-accel-redirect",
        b"x-sendfile",
        b"x-content-type-options",
        b"x-request-id",
    }
)
_TAKEN: Final = frozenset(
    {b"content-length", b"transfer-encoding", b"set-cookie", b"cache-control", b"vary", b"date", b"location"}
)
# By these a shared cache is told to keep what Cache-Control says is private (RFC 9213 and its forerunners).
_SHARED_CACHE: Final = frozenset({b"surrogate-control", b"edge-control", b"x-accel-expires"})
_NO_CONTENT: Final = 204
_BODYLESS: Final = frozenset({_NO_CONTENT, 304})
_MOST_NAMES = 2048
_LONGEST_NAME = 64
# What nearly every answer says of its connection, which names no field.
_NAMES_NO_FIELD: Final = frozenset({b"keep-alive", b"Keep-Alive", b"close"})
_KEPT_BY_NOBODY: Final = b"Cache-Control: no-store\r\nVary: Cookie\r\n"

_PASS, _WITHHOLD, _TAKE, _PASS_IF_PUBLIC, _CONNECTION = range(5)
_kinds: dict[bytes, tuple[int, bytes]] = {}


def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return b"HTTP/1.1 %d %b\r\n" % (status, phrase.encode("ascii"))


STATUS_LINES: Final = {status: _status_line(status) for status in range(200, 600)}


def _kind_of(name: bytes) -> tuple[int, bytes]:
    lower = name.lower()
    if lower == b"connection":
        kind = (_CONNECTION, lower)
    elif lower in _WITHHELD:
        kind = (_WITHHOLD, lower)
    elif lower in _TAKEN:
        kind = (_TAKE, lower)
    elif lower in _SHARED_CACHE or lower.endswith(b"cdn-cache-control"):
        kind = (_PASS_IF_PUBLIC, lower)
    else:
        kind = (_PASS, lower)
    if len(_kinds) < _MOST_NAMES and len(name) <= _LONGEST_NAME:
        _kinds[name] = kind
    return kind


def _fault(what: str) -> UpstreamUnavailable:
    return UpstreamUnavailable(f"upstream.{what}")


class AnswerHead:
    """The head of an upstream's final answer.

    `lines` is the status line with the fields that pass, without any of the framing: `content_length`, `is_chunked`
    and `has_body` say how the body arrives, the front decides how it goes on. Raises `UpstreamUnavailable` for framing
    that is not plain `chunked`, one length, or the end of the connection.

    `is_length_unknown` says that there is a body, and that nobody has told how long it will be.
    """

    __slots__ = ("content_length", "has_body", "has_date", "is_chunked", "is_length_unknown", "lines", "status")

    def __init__(
        self,
        status: int,
        raw_fields: Sequence[tuple[bytes, bytes]],
        *,
        to_head_request: bool,
        is_personal: bool,
        cookie_names: frozenset[bytes] = frozenset(),
        relocation: Relocation | None = None,
    ) -> None:
        status_line = STATUS_LINES.get(status)
        if status_line is None:
            raise UpstreamUnavailable("upstream.status")
        lines = [status_line]
        taken: dict[bytes, list[bytes]] = {}
        connection: list[bytes] = []
        for name, value in raw_fields:
            kind, lower = _kinds.get(name) or _kind_of(name)
            if kind == _PASS or (kind == _PASS_IF_PUBLIC and not is_personal):
                lines.append(b"%b: %b\r\n" % (name, value))
            elif kind == _TAKE:
                if lower in taken:
                    taken[lower].append(value)
                else:
                    taken[lower] = [value]
            elif kind == _CONNECTION and value not in _NAMES_NO_FIELD:
                connection.append(value)
        if connection:
            lines = _without_named(lines, connection)
        self.status = status
        self.content_length = content_length(taken.get(b"content-length"), _fault)
        self.is_chunked = b"transfer-encoding" in taken and is_chunked(taken[b"transfer-encoding"], _fault)
        if self.is_chunked and self.content_length is not None:
            raise _fault("framing")
        dates = taken.get(b"date")
        self.has_date = dates is not None
        if dates is not None:
            lines.append(b"Date: %b\r\n" % dates[0])
        self.has_body = has_body = not (to_head_request or status in _BODYLESS)
        self.is_length_unknown = has_body and self.content_length is None
        if b"set-cookie" in taken:
            for value in taken[b"set-cookie"]:
                name, separator, _ = value.partition(b"=")
                if separator and name.strip(b" \t") in cookie_names:
                    lines.append(b"Set-Cookie: %b\r\n" % value)
        if b"location" in taken:
            for value in taken[b"location"]:
                lines.append(b"Location: %b\r\n" % (value if relocation is None else relocation.of(value)))
        if b"cache-control" in taken or b"vary" in taken:
            lines.extend(_cache_lines(taken.get(b"cache-control"), taken.get(b"vary"), is_personal=is_personal))
        elif is_personal:
            lines.append(_KEPT_BY_NOBODY)
        self.lines = lines

    @property
    def ends_with_connection(self) -> bool:
        """Whether nothing but the end of the upstream's connection ends the body."""
        return self.is_length_unknown and not self.is_chunked

    def framed(self, *, chunks: bool, closes: bool, request_id: str, date: bytes = b"") -> bytes:
        """Return the header section for the browser; `chunks` where the body's length is not known.

        `date` is the line for an answer that came without one (RFC 9110 section 6.6.1).
        """
        lines = self.lines
        if not self.has_date:
            lines.append(date)
        if self.content_length is not None and self.status != _NO_CONTENT:
            lines.append(b"Content-Length: %d\r\n" % self.content_length)
        elif chunks:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        lines.append(b"X-Content-Type-Options: nosniff\r\nX-Request-Id: %b\r\n" % request_id.encode("ascii"))
        lines.append(b"Connection: close\r\n\r\n" if closes else b"\r\n")
        return b"".join(lines)


def _without_named(lines: list[bytes], connection: list[bytes]) -> list[bytes]:
    named = {token.strip(b" \t").lower() for value in connection for token in value.split(b",")}
    named -= {b"keep-alive", b"close", b""}
    if not named:
        return lines
    return lines[:1] + [line for line in lines[1:] if line.partition(b":")[0].lower() not in named]


def _cache_lines(cache_control: list[bytes] | None, vary: list[bytes] | None, *, is_personal: bool) -> list[bytes]:
    """Return Cache-Control and Vary; what was answered to one user is never left to a shared cache (RFC 9111)."""
    if not is_personal:
        lines = [b"Cache-Control: %b\r\n" % value for value in cache_control or ()]
        return lines + [b"Vary: %b\r\n" % value for value in vary or ()]
    if cache_control is None:
        directives = b"no-store"
    else:
        kept = [
            directive
            for value in cache_control
            for directive in (part.strip(b" \t") for part in value.split(b","))
            if directive and directive.lower() != b"public" and not directive.lower().startswith(b"s-maxage")
        ]
        # `private="some-field"` lets everything else be stored; a quoted string may only look like a directive.
        is_quoted = any(b'"' in value for value in cache_control)
        if is_quoted or not any(part.lower() in (b"private", b"no-store") for part in kept):
            kept.append(b"private")
        directives = b", ".join(kept)
    return [b"Cache-Control: %b\r\nVary: %b\r\n" % (directives, b", ".join([*(vary or ()), b"Cookie"]))]
