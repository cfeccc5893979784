"""Who is at the other end of a connection, as told to upstreams and to the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bff.http.forwarded import client_address, forwarded_fields

if TYPE_CHECKING:
    from bff.http.request_head import RequestHead
    from bff.proxy.context import ProxyContext


class Client:
    """The peer of a connection, or whom it speaks for if it is a trusted proxy; `forwarded_fields` are header lines."""

    __slots__ = ("_context", "_peer", "forwarded_fields", "name")

    def __init__(self, context: ProxyContext, peer: str) -> None:
        self._context = context
        self._peer = peer
        self._take(peer)

    def _take(self, name: str) -> None:
        public_url = self._context.public_url
        self.name = name
        self.forwarded_fields = forwarded_fields(name, public_host=public_url.host, scheme=public_url.scheme)

    def identify(self, head: RequestHead) -> None:
        """Learn from a request's head whom the peer speaks for."""
        trusted = self._context.trusted_proxies
        if trusted:
            name = client_address(self._peer, head.all(b"x-forwarded-for"), trusted, forwarded=head.all(b"forwarded"))
            if name != self.name:
                self._take(name)
