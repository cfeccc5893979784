"""A request's header section as the gateway reads it: what passes on to the upstream, and what is for us alone.

One pass over the fields sorts each into one of three kinds. What passes is kept as finished header lines; what the
gateway decides by is kept by name; everything else (see `_WITHHELD`) ends here. The kind of a name is remembered, so
that a name seen before costs one look-up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from bff.errors import BadRequest
from bff.http.framing import content_length, is_chunked

# Fields the gateway itself reads. None of them passes as it came, but those in _READ_AND_PASSED.
_READ: Final = frozenset(
    {
        b"host",
        b"cookie",
        b"connection",
        b"content-length",
        b"transfer-encoding",
        b"expect",
        b"upgrade",
        b"origin",
        b"sec-fetch-site",
        b"sec-fetch-mode",
        b"accept",
        b"x-csrf",
        b"forwarded",
        b"x-forwarded-for",
        b"x-request-id",
        b"sec-websocket-key",
        b"sec-websocket-version",
    }
)
_READ_AND_PASSED: Final = frozenset(
    {b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"accept", b"sec-websocket-key", b"sec-websocket-version"}
)

# Credentials and identities only the gateway may vouch for, fields of one hop, and fields that make an upstream take
# the request for another one.
_WITHHELD: Final = frozenset(
    {
        b"authorization",
        b"dpop",
        b"cookie2",
        b"keep-alive",
        b"te",
        b"trailer",
        b"http2-settings",
        b"via",
        b"proxy",
        b"x-forwarded",
        b"forwarded-for",
        b"x-real-ip",
        b"x-client-ip",
        b"x-client-cert",
        b"x-client-dn",
        b"x-client-verify",
        b"x-cluster-client-ip",
        b"x-rewrite-url",
        b"x-override-url",
        b"x-host",
        b"x-http-host-override",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"fastly-client-ip",
        b"client-ip",
        b"client-cert",
        b"client-cert-chain",
    }
)
_WITHHELD_PREFIXES: Final = (
    b"proxy-",
    b"x-forwarded-",
    b"x-original-",
    b"x-envoy-",
    b"x-authenticated-",
    b"x-auth-request-",
    b"x-webauth-",
    b"x-remote-",
    b"remote-",
    b"x-ssl-",
    b"ssl-client-",
    b"x-amzn-oidc-",
    b"x-ms-client-principal",
    b"x-goog-authenticated-user-",
    b"x-goog-iap-",
    b"cf-access-",
)
# Many servers read `x_user` as `X-User`, some any other sign in place of the hyphen, so that such a name could pose as
# one that is withheld. Nobody needs them: common servers drop them without a word.
_UNAMBIGUOUS_NAME: Final = re.compile(rb"[a-z0-9-]+")

_WITHHOLD: Final = 0
_PASS: Final = 1
_TAKE: Final = 2
_TAKE_AND_PASS: Final = 3
_MOST_NAMES = 2048
_LONGEST_NAME = 64

# What browsers and proxies usually say of the connection.
_NAMES_NO_FIELD: Final = frozenset({b"keep-alive", b"Keep-Alive", b"close"})

_kinds: dict[bytes, tuple[int, bytes]] = {}


def _kind_of(name: bytes) -> tuple[int, bytes]:
    lower = name.lower()
    if lower in _READ:
        kind = (_TAKE_AND_PASS if lower in _READ_AND_PASSED else _TAKE, lower)
    elif lower in _WITHHELD or lower.startswith(_WITHHELD_PREFIXES) or _UNAMBIGUOUS_NAME.fullmatch(lower) is None:
        kind = (_WITHHOLD, lower)
    else:
        kind = (_PASS, lower)
    if len(_kinds) < _MOST_NAMES and len(name) <= _LONGEST_NAME:
        _kinds[name] = kind
    return kind


def _fault(what: str) -> BadRequest:
    return BadRequest(f"framing.{what}")


class RequestHead:
    """A parsed header section; `passing` are the lines that may reach the upstream.

    `single` returns the value of a field that the gateway reads, by its name in lower case; values of a field sent more
    than once come joined, so they equal none expected.
    """

    __slots__ = ("_repeated", "content_length", "is_chunked", "passing", "single")

    def __init__(self, raw_fields: Sequence[tuple[bytes, bytes]]) -> None:
        passing: list[bytes] = []
        fields: dict[bytes, bytes] = {}
        self._repeated: dict[bytes, list[bytes]] | None = None
        for name, value in raw_fields:
            kind, lower = _kinds.get(name) or _kind_of(name)
            if kind & _PASS:
                passing.append(b"%b: %b\r\n" % (name, value))
            if kind & _TAKE:
                if lower in fields:
                    fields[lower] = self._repeat(lower, fields[lower], value)
                else:
                    fields[lower] = value
        self.single: Callable[[bytes], bytes | None] = fields.get
        self.passing = passing
        self.content_length: int | None = None
        self.is_chunked = False
        if b"content-length" in fields or b"transfer-encoding" in fields:
            self.content_length = content_length(self.all(b"content-length"), _fault)
            self.is_chunked = is_chunked(self.all(b"transfer-encoding"), _fault)
            if self.is_chunked and self.content_length is not None:
                raise _fault("both")
        connection = fields.get(b"connection")
        if connection is not None and connection not in _NAMES_NO_FIELD:
            self._withhold_named(connection)

    def _repeat(self, name: bytes, earlier: bytes, value: bytes) -> bytes:
        if self._repeated is None:
            self._repeated = {}
        self._repeated.setdefault(name, [earlier]).append(value)
        return earlier + b", " + value

    def _withhold_named(self, connection: bytes) -> None:
        """Drop the fields that `Connection` declares to be for one hop only (RFC 9110 section 7.6.1)."""
        named = {token.strip(b" \t").lower() for token in connection.split(b",")}
        named -= {b"keep-alive", b"close", b"upgrade", b""}
        if named:
            self.passing = [line for line in self.passing if line.partition(b":")[0].lower() not in named]

    def all(self, name: bytes) -> list[bytes]:
        """Return every value of the field, in order."""
        if self._repeated is not None and name in self._repeated:
            return self._repeated[name]
        value = self.single(name)
        return [] if value is None else [value]
