"""Who is at the other end of a connection, as told to upstreams and to the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bff.http.forwarded import Network, client_address, forwarded_fields

if TYPE_CHECKING:
    from bff.http.request_head import RequestHead
    from bff.settings import PublicUrl

_MOST_REMEMBERED: Final = 4096
_LONGEST_REMEMBERED: Final = 128


class Clients:
    """What is known of clients: an address, and the header lines that tell an upstream of it.

    What a trusted proxy says of one is remembered, since addresses are slow to parse and come again and again.
    """

    def __init__(self, public_url: PublicUrl, trusted_proxies: Sequence[Network]) -> None:
        self.trusts_proxies = bool(trusted_proxies)
        self._public_url = public_url
        self._trusted = trusted_proxies
        self._known: dict[tuple[str, bytes], tuple[str, bytes]] = {}

    def of_peer(self, peer: str) -> tuple[str, bytes]:
        """Return name and header lines of whoever holds the other end."""
        return peer, forwarded_fields(peer, public_host=self._public_url.host, scheme=self._public_url.scheme)

    def of_request(self, peer: str, head: RequestHead) -> tuple[str, bytes]:
        """Return name and header lines of the client of a request that came from this peer."""
        said = head.all(b"x-forwarded-for")
        if len(said) != 1 or len(said[0]) > _LONGEST_REMEMBERED:
            return self._worked_out(peer, head)
        client = self._known.get((peer, said[0]))
        if client is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            client = self._known[peer, said[0]] = self._worked_out(peer, head)
        return client

    def _worked_out(self, peer: str, head: RequestHead) -> tuple[str, bytes]:
        said, otherwise = head.all(b"x-forwarded-for"), head.all(b"forwarded")
        return self.of_peer(client_address(peer, said, self._trusted, forwarded=otherwise))


class Client:
    """The peer of a connection, or whom it speaks for if it is a trusted proxy; `forwarded_fields` are header lines."""

    __slots__ = ("_clients", "_peer", "forwarded_fields", "name")

    def __init__(self, clients: Clients, peer: str) -> None:
        self._clients = clients
        self._peer = peer
        self.name, self.forwarded_fields = clients.of_peer(peer)

    def identify(self, head: RequestHead) -> None:
        """Learn from a request's head whom the peer speaks for, where there are trusted proxies at all."""
        self.name, self.forwarded_fields = self._clients.of_request(self._peer, head)
