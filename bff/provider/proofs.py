"""Proofs of possession for the provider's own endpoints, and the nonces they give (RFC 9449 sections 5, 8 and 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal
from urllib.parse import urlsplit

from bff.oauth.dpop import DpopKey, parse_nonce, supports_dpop
from bff.oauth.metadata import ProviderMetadata
from bff.oauth.token_response import BEARER, BOUND, TokenType

_MOST_SERVERS: Final = 32

Role = Literal["authorization server", "resource server"]


class Proofs:
    """Signs proofs with the newest nonce of each server; `mode` is `BFF_DPOP`.

    A provider's endpoints and what it serves as a resource, UserInfo, may give nonces of different makes.
    """

    def __init__(self, mode: str, *, clock: Callable[[], float], random_bytes: Callable[[int], bytes]) -> None:
        self._mode = mode
        self._clock = clock
        self._random_bytes = random_bytes
        self._nonces: dict[tuple[Role, str], str] = {}

    @property
    def are_required(self) -> bool:
        """Whether an access token that is not bound to a key is refused."""
        return self._mode == "require"

    def are_sent(self, metadata: ProviderMetadata) -> bool:
        """Whether tokens are asked for with proofs."""
        return self.are_required or (self._mode == "auto" and supports_dpop(metadata.dpop_signing_alg_values_supported))

    def key(self, metadata: ProviderMetadata, encoded: bytes | None) -> DpopKey | None:
        """Return the key to ask for tokens with, None where no proof is sent."""
        return None if encoded is None or not self.are_sent(metadata) else DpopKey(encoded)

    def token_types(self, key: DpopKey | None) -> frozenset[TokenType]:
        """Return the types of token that may come of a request with this key."""
        if self.are_required:
            return BOUND
        return BEARER if key is None else BEARER | BOUND

    def proof(
        self, key: DpopKey, method: str, url: str, *, access_token: str | None = None, nonce: str | None = None
    ) -> str:
        """Return a fresh proof for one request; `access_token` is the one it carries to UserInfo.

        Without a `nonce` of its own it has the newest that its receiver has given.
        """
        return key.proof(
            method=method,
            url=url,
            now=self._clock(),
            random_bytes=self._random_bytes,
            access_token=access_token,
            nonce=nonce or self._nonces.get(_server(url, access_token)),
        )

    def learn(self, url: str, given: str | None, *, access_token: str | None = None, own: str | None = None) -> None:
        """Take note of the nonce that an answer gave, whatever its status (section 8.2).

        If it gave none, `own` is good for others too: it belonged to the request alone until that was answered.
        """
        nonce = parse_nonce(given) or own
        if nonce is None:
            return
        server = _server(url, access_token)
        if server not in self._nonces and len(self._nonces) >= _MOST_SERVERS:
            self._nonces.clear()
        self._nonces[server] = nonce


def _server(url: str, access_token: str | None) -> tuple[Role, str]:
    parts = urlsplit(url)
    role: Role = "authorization server" if access_token is None else "resource server"
    return role, f"{parts.scheme}://{parts.netloc}"
