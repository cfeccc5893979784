"""Which token of a session is wanted, the login's own or one for another API, and what came of asking for it."""

from __future__ import annotations

from typing import Final

import msgspec

from bff.errors import ClientRefused, InvalidProviderAnswer, ProviderUnavailable
from bff.session.record import AccessToken, SessionRecord
from bff.sessions import Session
from bff.settings.token_target import TokenTarget

MARGIN: Final = 60.0
"""Seconds before its end at which a token is renewed; less if it lives for less than three minutes."""


class Need(msgspec.Struct, frozen=True):
    """A token of a session; `target` None is the login's, `is_forced` wants it new though it may be fresh.

    `certificate` is when the client's certificate in use began, None if there is none.
    """

    target: TokenTarget | None = None
    is_forced: bool = False
    certificate: float | None = None

    def token(self, record: SessionRecord) -> AccessToken | None:
        """Return the token as it is now."""
        return record.access_token if self.target is None else record.target_tokens.get(self.target.name)

    def is_unmet(self, record: SessionRecord, now: float) -> bool:
        """Whether the provider is to be asked, by what the record says now."""
        return self.is_forced or is_due(record, now, self.target, certificate=self.certificate)

    def key(self, session_key: str) -> str:
        """Return what flights and pauses of this one token are called."""
        if self.target is None:
            return f"{session_key}:now" if self.is_forced else session_key
        return f"{session_key}:{self.target.name}"


class Refreshed(msgspec.Struct, frozen=True):
    """The session as it is after a refresh; `failure` if that could not be done or not completed."""

    session: Session
    failure: ProviderUnavailable | InvalidProviderAnswer | ClientRefused | None = None


def is_due(
    record: SessionRecord, now: float, target: TokenTarget | None = None, *, certificate: float | None = None
) -> bool:
    """Whether the access token is to be renewed: a minute before it expires, or a third of its life if less.

    So is one that was bound to an older certificate than the one in use, which began at `certificate`: APIs refuse it.
    """
    token = record.access_token if target is None else record.target_tokens.get(target.name)
    if token is None:
        return True
    if token.is_outdated(certificate):
        return True
    if token.is_fresh(now, MARGIN):
        return False
    received_at = token.received_at
    if received_at is None:
        received_at = record.created_at if record.refreshed_at is None else record.refreshed_at
    assert token.expires_at is not None, "it would be fresh"
    return not token.is_fresh(now, margin(token.expires_at - received_at))


def margin(lifetime: float) -> float:
    """Return how many seconds before its end a token of this lifetime is renewed."""
    return min(MARGIN, max(0.0, lifetime) / 3)
