"""Logins under way in one browser: each in a sealed cookie of its own, and of these a few small ones at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from bff.asgi.request import Request
from bff.oauth.transaction import Transaction, decode_transaction, encode_transaction
from bff.session.cookies import TRANSACTION_MAX_AGE, SessionCookies
from bff.session.sealing import SealBroken, Sealer

MOST_PENDING: Final = 5
MOST_BYTES: Final = 6 * 1024
"""What all these cookies together may take of the request header, which proxies commonly limit to 8 KiB."""

LONGEST_COOKIE: Final = 4000
"""Bytes; browsers take 4096 for name and value (RFC 6265bis section 5.6)."""


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A login cookie of the request; `transaction` is None if it cannot be opened or is past its time."""

    name: str
    size: int
    transaction: Transaction | None


class PendingLogins:
    """Reads and writes the login cookies."""

    def __init__(self, *, sealer: Sealer, cookies: SessionCookies, clock: Callable[[], float]) -> None:
        self._sealer = sealer
        self._cookies = cookies
        self._clock = clock

    def find(self, request: Request, state: str) -> Transaction | None:
        """Return the login with this `state` if this browser began it."""
        pending = self._open(request, self._cookies.transaction_name(state))
        transaction = pending.transaction
        return transaction if transaction is not None and transaction.state == state else None

    def all(self, request: Request) -> list[PendingLogin]:
        """Return every login cookie of the request."""
        return [self._open(request, name) for name in self._cookies.transaction_names(request.cookies)]

    def states(self, request: Request) -> list[str]:
        """Return the `state` of every login that this browser has under way."""
        return [pending.transaction.state for pending in self.all(request) if pending.transaction is not None]

    def begin(self, request: Request, transaction: Transaction) -> tuple[str, ...]:
        """Return the `Set-Cookie` lines that add this login and clear those there is no room for, the oldest first."""
        lines = [self._set(transaction)]
        room, space = MOST_PENDING - 1, MOST_BYTES - len(lines[0])
        for pending in sorted(self.all(request), key=_started_at, reverse=True):
            room, space = room - 1, space - pending.size
            if pending.transaction is None or room < 0 or space < 0:
                lines.append(self._cookies.clear_transaction(pending.name))
        return tuple(lines)

    def fits(self, transaction: Transaction) -> bool:
        """Whether the browser will keep the login's cookie; what is longer it drops without a word."""
        return len(self._set(transaction)) <= LONGEST_COOKIE

    def finish(self, request: Request, state: str, *, session_key: str) -> tuple[str, ...]:
        """Return the lines that clear this login and tell the others which session they are to end when they finish."""
        finished = self._cookies.transaction_name(state)
        others = [
            self._set(msgspec.structs.replace(pending.transaction, previous_session=session_key))
            for pending in self.all(request)
            if pending.name != finished and pending.transaction is not None
        ]
        return (self._cookies.clear_transaction(finished), *others)

    def clear(self, state: str) -> tuple[str, ...]:
        """Return the line that clears this login."""
        return (self._cookies.clear_transaction(self._cookies.transaction_name(state)),)

    def clear_all(self, request: Request) -> tuple[str, ...]:
        """Return the lines that clear every login of this browser."""
        names = self._cookies.transaction_names(request.cookies)
        return tuple(self._cookies.clear_transaction(name) for name in names)

    def _open(self, request: Request, name: str) -> PendingLogin:
        values = request.cookie(name)
        size = sum(len(name) + len(value) + 3 for value in values)
        if len(values) != 1 or not values[0].isascii():
            return PendingLogin(name, size, None)
        try:
            transaction = decode_transaction(self._sealer.open_transaction(values[0].decode("ascii"), name=name))
        except (SealBroken, msgspec.MsgspecError):
            return PendingLogin(name, size, None)
        is_alive = self._clock() - transaction.started_at <= TRANSACTION_MAX_AGE
        return PendingLogin(name, size, transaction if is_alive else None)

    def _set(self, transaction: Transaction) -> str:
        name = self._cookies.transaction_name(transaction.state)
        value = self._sealer.seal_transaction(encode_transaction(transaction), name=name)
        return self._cookies.set_transaction(name, value)


def _started_at(pending: PendingLogin) -> float:
    return pending.transaction.started_at if pending.transaction else 0.0
