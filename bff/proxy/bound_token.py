"""An access token that is bound to a key, on its way to an upstream: a proof for each request, the upstream's nonces.

    token ─► proof with the newest nonce ─► answer ─┬─► any: its nonce is the newest now
                                                    └─► 401 `use_dpop_nonce`: once more, if the body can be had again

The nonce of such a refusal is the refused call's own until that has been made again: an upstream may take each nonce
once, and of many calls in flight each gets through with its second proof.
RFC 9449 sections 7 to 9. Nothing of this exists for a call with a bearer token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bff.http.challenges import demands_dpop_nonce
from bff.http.upstream_head import with_bound_token
from bff.oauth.dpop import DpopKey, parse_nonce

if TYPE_CHECKING:
    from bff.proxy.context import ProxiedRoute
    from bff.proxy.pool import Origin
    from bff.session.record import AccessToken


class UpstreamProofs:
    """What proofs are made with in this process, and the newest nonce of each upstream."""

    __slots__ = ("clock", "nonces", "random_bytes")

    def __init__(self, *, clock: Callable[[], float], random_bytes: Callable[[int], bytes]) -> None:
        self.clock = clock
        self.random_bytes = random_bytes
        # Only upstreams of the configuration are in it, so it does not grow.
        self.nonces: dict[Origin, str] = {}

    def of(self, token: AccessToken, route: ProxiedRoute, method: bytes, target: bytes) -> BoundToken:
        """Return a token that is bound to a key as it goes with one call; `target` is the upstream's."""
        return BoundToken(self, token, route.origin, method, route.base_url + target.decode("ascii"))


class BoundToken:
    """The token of one call; `may_repeat` until the call was sent a second time."""

    __slots__ = ("_key", "_method", "_origin", "_own_nonce", "_proofs", "_token", "_url", "may_repeat")

    def __init__(self, proofs: UpstreamProofs, token: AccessToken, origin: Origin, method: bytes, url: str) -> None:
        assert token.dpop_key is not None
        self._proofs = proofs
        self._token = token.value
        self._key = DpopKey(token.dpop_key)
        self._origin = origin
        self._method = method.decode("ascii")
        self._url = url
        self._own_nonce: str | None = None
        self.may_repeat = True

    def presented_in(self, head: bytes) -> bytes:
        """Return a request's header section with the token and a proof that nobody has seen."""
        proofs = self._proofs
        proof = self._key.proof(
            method=self._method,
            url=self._url,
            now=proofs.clock(),
            random_bytes=proofs.random_bytes,
            access_token=self._token,
            nonce=self._own_nonce or proofs.nonces.get(self._origin),
        )
        return with_bound_token(head, f"Authorization: DPoP {self._token}\r\nDPoP: {proof}\r\n".encode("ascii"))

    def is_refused_for_nonce(self, status: int, fields: Sequence[tuple[bytes, bytes]]) -> bool:
        """Take the nonce of an answer; whether the answer says that the request lacked nothing but that nonce.

        It is the newest of all for the calls to come, or this call's own if that can be made again.
        """
        given = [value for name, value in fields if name.lower() == b"dpop-nonce"]
        nonce = parse_nonce(given[0].decode("latin-1")) if len(given) == 1 else None
        if nonce is None:
            self.share_nonce()
            return False
        is_demand = status == 401 and demands_dpop_nonce(
            value for name, value in fields if name.lower() == b"www-authenticate"
        )
        self._own_nonce = nonce
        if not (is_demand and self.may_repeat):
            self.share_nonce()
        return is_demand

    def share_nonce(self) -> None:
        """Let the calls to come use this call's own nonce, if it has one."""
        if self._own_nonce is not None:
            self._proofs.nonces[self._origin] = self._own_nonce
