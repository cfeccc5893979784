"""A logout and the logins that are under way in its browser: in whatever order their steps fall, nobody is left."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import combinations
from typing import Any, cast

import pytest

from bff.errors import SessionEnded, StoreUnavailable
from bff.logins_under_way import claimed_for
from bff.session.names import state_name
from bff.session.sealing import Sealer, sealing_context
from bff.session.store import SessionStore, StoredSession
from bff.sessions import Session, Sessions
from bff.stores.memory import MemoryStore
from tests.support.clock import Clock
from tests.support.session_records import ISSUER, NOW, session_record

LOGOUT_STEPS, LOGIN_STEPS = 4, 6
"""At least as many calls of the store as each makes."""


class SteppedStore:
    """A store each call of which waits for its turn."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._store, name)

        async def in_turn(*arguments: Any, **named: Any) -> Any:
            await asyncio.sleep(0)
            return await method(*arguments, **named)

        return in_turn


class Browser:
    """One browser's sessions; a `store` may stand before the one they are kept in."""

    def __init__(self, store: Callable[[MemoryStore], Any] = lambda memory: memory) -> None:
        clock = Clock(NOW)
        self.memory = MemoryStore(clock)
        self.started: list[Session] = []
        self.sessions = Sessions(
            cast(SessionStore, store(self.memory)),
            Sealer(
                (b"a secret key of 32 or more bytes!!",),
                sealing_context(ISSUER, "spa", "https://app.example"),
                random_bytes=secrets.token_bytes,
            ),
            idle=1800.0,
            max_lifetime=8 * 3600.0,
            clock=clock,
            random_bytes=secrets.token_bytes,
            on_event=lambda *_, **__: None,
        )

    async def finish(self, state: str, previous: Sequence[str] = ()) -> None:
        """Complete a login, as the callback does it."""
        login = await self.sessions.claim_login(state, NOW)
        if login is not None:
            self.started.append(await self.sessions.start(session_record(), login, previous=previous))

    async def log_out(self, states: Sequence[str], session: Session | None = None) -> bool:
        """Log out as the endpoint does it; True if a login's session has ended."""
        dropped = [await self.sessions.drop_login(state) for state in states]
        if session is not None:
            await self.sessions.end_presented(session.handle, "logout")
        return any(dropped)

    async def alive(self) -> list[Session]:
        """Return the sessions that are left."""
        found = [(session, await self.memory.read(session.key)) for session in self.started]
        return [session for session, stored in found if isinstance(stored, StoredSession)]


async def run_in_turns(running: Sequence[Coroutine[Any, Any, Any]], turns: Sequence[int]) -> None:
    """Let the coroutines go on, one step each, in this order; then let each run to its end."""
    left = dict(enumerate(running))
    for turn in [*turns, *(number for number in range(len(running)) for _ in range(100))]:
        if turn in left:
            try:
                left[turn].send(None)
            except (StopIteration, SessionEnded):
                del left[turn]
    assert not left


@pytest.mark.parametrize("is_signed_in", [False, True])
async def test_a_logout_and_a_login_leave_nobody_in_any_order_of_their_steps(is_signed_in: bool) -> None:
    total = LOGOUT_STEPS + LOGIN_STEPS
    for of_logout in combinations(range(total), LOGOUT_STEPS):
        browser = Browser(SteppedStore)
        if is_signed_in:
            await run_in_turns([browser.finish("first")], ())
        (*_, session) = [None, *browser.started]
        login = browser.finish("second", () if session is None else (session.key,))
        turns = [0 if place in of_logout else 1 for place in range(total)]
        await run_in_turns([browser.log_out(["second"], session), login], turns)
        assert await browser.alive() == [], turns


async def test_a_logout_says_whether_a_login_had_a_session_already() -> None:
    browser = Browser()
    assert not await browser.log_out(["one"])
    await browser.finish("two")
    assert await browser.log_out(["one", "two"])
    assert not await browser.log_out(["one", "two"])


async def test_a_dropped_login_is_told_apart_from_others() -> None:
    browser = Browser()
    await browser.log_out(["one"])
    with pytest.raises(SessionEnded) as ended:
        await browser.finish("one")
    assert ended.value.reason == "session.ended.logout"
    await browser.finish("two")
    assert len(await browser.alive()) == 1


class NotedNowhere:
    """A store that keeps no small value."""

    def __init__(self, store: MemoryStore, reason: str) -> None:
        self._store = store
        self._reason = reason

    async def put(self, _name: str, _value: bytes, *, lifetime: float) -> None:
        raise StoreUnavailable(self._reason)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_a_store_that_is_full_still_ends_the_session_of_a_login() -> None:
    browser = Browser(lambda memory: NotedNowhere(memory, "store.oom"))
    await browser.finish("one")
    assert await browser.log_out(["one"])
    assert await browser.alive() == []


async def test_a_login_that_cannot_be_dropped_is_no_logout() -> None:
    browser = Browser(lambda memory: NotedNowhere(memory, "store.timeout"))
    with pytest.raises(StoreUnavailable):
        await browser.log_out(["one"])


async def test_it_can_be_asked_for_which_session_a_state_was_used() -> None:
    browser = Browser()
    assert await claimed_for(browser.memory, "one") is None
    await browser.finish("one")
    assert await claimed_for(browser.memory, "one") == browser.started[0].key


@pytest.mark.parametrize("value", [b"", b"0" * 63, b"0" * 65, b"0" * 63 + b"\n", b"A" * 64, b"\xff" * 64])
async def test_what_is_no_store_key_names_no_session(value: bytes) -> None:
    browser = Browser()
    await browser.memory.put(state_name("one"), value, lifetime=60)
    assert await claimed_for(browser.memory, "one") is None
    assert not await browser.log_out(["one"])
