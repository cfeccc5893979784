"""Who is at the other end of a connection, as told to upstreams and to the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bff.http.forwarded import client_address, forwarded_fields

if TYPE_CHECKING:
    from bff.http.request_head import RequestHead
    from bff.proxy.context import ProxyContext


class Client:
    """The peer of a connection, or whom it speaks for if it is a trusted proxy."""

    __slots__ = ("_context", "_lines", "_peer", "name")

    def __init__(self, context: ProxyContext, peer: str) -> None:
        self._context = context
        self._peer = peer
        self._take(peer)

    def _take(self, name: str) -> None:
        public_url = self._context.public_url
        self.name = name
        self._lines = forwarded_fields(name, public_host=public_url.host, scheme=public_url.scheme)

    def forwarded_fields(self, head: RequestHead) -> bytes:
        """Return the header lines that tell an upstream who sent this request."""
        trusted = self._context.trusted_proxies
        if trusted:
            name = client_address(self._peer, head.all(b"x-forwarded-for"), trusted)
            if name != self.name:
                self._take(name)
        return self._lines
