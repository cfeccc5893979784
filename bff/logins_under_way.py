"""Logins between the provider and their session: each happens once, and a logout that arrives meanwhile wins.

    a logout here       drops the login, then ends the session       a login     its session is written under the key
                        its `state` was claimed for                              claimed for it, then it looks whether
    the provider's      sets a mark, then ends the sessions in                   it was dropped, then for marks
                        the index

So of a logout and a login one sees the other.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from bff.errors import StoreUnavailable
from bff.session.names import Identity, dropped_name, identities, mark_name, state_name
from bff.session.record import SessionRecord
from bff.session.store import SessionStore

STATE_CLAIM_LIFETIME: Final = 900.0
"""Seconds a used `state` is remembered: longer than a login may take, clock differences included."""

LOGOUT_MARK_LIFETIME: Final = 600.0
"""Seconds a provider's logout holds against logins that were under way: as long as a login may take."""

_FULL: Final = "store.oom"
_DROPPED: Final = b"dropped"
_STORE_KEY: Final = re.compile(rb"[0-9a-f]{64}")


class ClaimedLogin(msgspec.Struct, frozen=True):
    """A login whose `state` is used up: when it began and was answered, and the handle of the session it is to have."""

    state: str
    started_at: float
    answered_at: float
    handle: bytes

    def __repr__(self) -> str:
        return "ClaimedLogin(…)"


async def claim_state(store: SessionStore, state: str, session_key: str) -> bool:
    """Use up a `state` for the session of this store key; False if it was used before, here or on another instance."""
    return await store.acquire(state_name(state), owner=session_key, lifetime=STATE_CLAIM_LIFETIME)


async def claimed_for(store: SessionStore, state: str) -> str | None:
    """Return the store key of the session that a `state` was used up for, whether it is there yet or not."""
    value = await store.get(state_name(state))
    return value.decode() if value is not None and _STORE_KEY.fullmatch(value) else None


async def drop_login(store: SessionStore, state: str) -> None:
    """Let the login with this `state` come to nothing; a store that is full does so by taking no new session."""
    try:
        await store.put(dropped_name(state), _DROPPED, lifetime=STATE_CLAIM_LIFETIME)
    except StoreUnavailable as error:
        if error.reason != _FULL:
            raise


async def was_dropped(store: SessionStore, state: str) -> bool:
    """Whether the user has logged out here since the login with this `state` began."""
    return await store.get(dropped_name(state)) is not None


async def mark_logout(store: SessionStore, issuer: str, identity: Identity, issued_at: float, *, now: float) -> None:
    """Note a logout that the provider ordered at `issued_at`, by its clock; both are in seconds since the epoch."""
    name = mark_name(issuer, identity)
    earlier, _ = _decode_mark(await store.get(name))
    value = b"%r %r" % (max(issued_at, earlier), now)
    await store.put(name, value, lifetime=LOGOUT_MARK_LIFETIME)


async def was_logged_out(store: SessionStore, record: SessionRecord, login: ClaimedLogin) -> bool:
    """Whether the provider has logged out the record's user, or their session there, since the login began.

    A login begun after the logout arrived is another one (OpenID Connect Back-Channel Logout 1.0 section 2.7). Of those
    begun before, a `sid` names one and the same session. A subject may have logged in again: that is believed of a
    login that was answered after the logout arrived, if the user has been authenticated after it was ordered.
    """
    authenticated_at = record.issued_at if record.auth_time is None else min(record.auth_time, record.issued_at)
    for identity in identities(record):
        logged_out_at, arrived_at = _decode_mark(await store.get(mark_name(record.issuer, identity)))
        if login.started_at > arrived_at:
            continue
        # The ID token is no witness: it is issued for the code, however long after the login and the logout.
        if identity[0] == "sid" or login.answered_at <= arrived_at or authenticated_at <= logged_out_at:
            return True
    return False


def _decode_mark(value: bytes | None) -> tuple[float, float]:
    """Return when the provider logged out and when we heard of it; before all times if there is no mark.

    What cannot be read counts as a logout after all times: a login is refused rather than a logout undone.
    """
    if value is None:
        return (float("-inf"), float("-inf"))
    try:
        logged_out_at, arrived_at = map(float, value.split())
    except ValueError:
        return (float("inf"), float("inf"))
    return (logged_out_at, arrived_at)
