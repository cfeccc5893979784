"""The second sending of a call whose proof lacked nothing but the upstream's nonce (RFC 9449 section 9).

The refusal is read to its end, so that the connection can carry the call again, and none of it reaches the browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from bff.proxy.back import Back
    from bff.proxy.bound_token import BoundToken
    from bff.proxy.exchange import Exchange

MAX_REFUSAL: Final = 64 * 1024
"""Bytes of a refusal that are read rather than the connection closed."""


def repeats(
    exchange: Exchange, back: Back | None, bound: BoundToken, status: int, fields: list[tuple[bytes, bytes]]
) -> bool:
    """Whether this answer is such a refusal and the call will be sent once more, with the nonce that it gave."""
    if not bound.is_refused_for_nonce(status, fields) or not bound.may_repeat or back is None:
        return False
    is_fit = exchange.body.leaves_no_doubt
    if not exchange.body.rewind():
        bound.share_nonce()
        return False
    bound.may_repeat = False
    back.receiver = _Refusal(exchange, back, is_fit=is_fit)
    return True


class _Refusal:
    """Takes the place of an exchange at a connection until the refusal there has ended.

    The connection `is_fit` for another request if the upstream had the whole of this one when it refused it.
    """

    __slots__ = ("_back", "_exchange", "_is_fit", "_size", "to_head_request")

    accepts_upgrade = False

    def __init__(self, exchange: Exchange, back: Back, *, is_fit: bool) -> None:
        self._exchange = exchange
        self._back = back
        self._is_fit = is_fit
        self._size = 0
        self.to_head_request = exchange.to_head_request

    def answer_head(self, status: int, fields: list[tuple[bytes, bytes]]) -> bool:
        """Never called: the head of the answer is what brought this into being."""
        raise AssertionError("an answer has one head")  # pragma: no cover -- never called

    def answer_body(self, data: bytes) -> None:
        """Drop a piece of the body."""
        self._size += len(data)

    def answer_flush(self) -> None:
        """Close the connection if the refusal is too long to be worth reading."""
        if self._size > MAX_REFUSAL:
            self._send_again(is_fit=False)

    def answer_complete(self) -> None:
        """Send the call again, on the same connection if it is fit for it."""
        self._send_again(is_fit=self._is_fit)

    def back_lost(self, reason: str) -> None:
        """Send the call again on another connection: what was refused has not been done."""
        self._send_again(is_fit=False)

    def pause_request(self) -> None:
        """Nothing is being sent."""

    def resume_request(self) -> None:
        """Nothing is being sent."""

    def _send_again(self, *, is_fit: bool) -> None:
        if not is_fit:
            self._back.abandon()
        self._exchange.send()
