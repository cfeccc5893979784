"""Where an upstream redirects to: its own address, which browsers cannot or must not reach, becomes the route's.

Frameworks make such addresses of the `Host` they are asked for, which is the upstream's own. Every other `Location`,
a relative one too, passes as it is.
"""

from __future__ import annotations

import re


class Relocation:
    """Turns addresses of an upstream into the gateway's; `prefix` and `path` are without a slash at their end."""

    __slots__ = ("_own", "_prefix")

    def __init__(self, *, host: bytes, path: bytes, prefix: bytes) -> None:
        # An upstream behind a terminator of TLS may not know which scheme it is asked by.
        own = rb"(?i:https?://%b)%b(?=[/?#]|\Z)" % (re.escape(host), re.escape(path.rstrip(b"/")))
        self._own = re.compile(own)
        self._prefix = prefix

    def of(self, location: bytes) -> bytes:
        """Return the value of `Location` for the browser."""
        match = self._own.match(location)
        if match is None:
            return location
        path = self._prefix + location[match.end() :]
        # What would leave this origin is no address of the upstream's.
        return location if path.startswith((b"//", b"/\\")) else path if path.startswith(b"/") else b"/" + path
