"""A refresh that is refused, or whose answer cannot be used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import msgspec
import pytest

from bff.errors import (
    ClientRefused,
    GatewayError,
    InvalidProviderAnswer,
    ProviderBusy,
    ProviderUnavailable,
    SessionEnded,
    SessionExpired,
)
from bff.session.record import AccessToken
from bff.session.store import Tombstone
from bff.settings.token_target import TokenTarget
from bff.tokens.turn import LEASE_LIFETIME, LONGEST_PAUSE, PAUSE
from tests.support.fleet import Fleet
from tests.support.provider_double import answer
from tests.support.virtual_time import clock, virtual_time

DUE = 250.0
"""Seconds after which a token of 300 seconds is due, but alive."""
DEAD = 301.0

INVOICES = TokenTarget(resource="https://invoices.example/v1")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


# --- invalid_grant ---


async def test_a_refused_grant_ends_the_session_on_all_instances() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.end_grants()
    outcomes = await asyncio.gather(*(fleet[n % 2].call(session.handle) for n in range(20)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {SessionEnded}
    assert await fleet.memory.read(session.key) == Tombstone("grant_refused")
    assert fleet.token_requests == 1
    assert "grant_refused" in fleet[0].outcomes + fleet[1].outcomes


async def test_a_refused_grant_is_no_matter_if_a_peer_has_new_tokens() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    # A peer whose lease has run out: it got the tokens, and writes them while this instance asks with the old one.
    peers = await fleet[1].provider.refresh(session.record)

    async def write_peers_tokens() -> None:
        current = await fleet[1].sessions.resume(session.handle)
        token = AccessToken(peers.tokens.access_token, clock() + 300, ())
        record = msgspec.structs.replace(current.record, access_token=token, refresh_token=peers.tokens.refresh_token)
        await fleet[1].sessions.replace(current, record)

    fleet.double.delay = 2.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(1)
    await write_peers_tokens()
    assert await call == peers.tokens.access_token
    assert fleet[0].outcomes == ["adopted"]


async def test_a_peers_tokens_that_are_there_already_are_not_written_over() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    fleet.double.delay = 2.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(1)
    peers = msgspec.structs.replace(
        session.record,
        access_token=AccessToken("access-of-a-peer", clock() + 300, ()),
        refresh_token="refresh-of-a-peer",
    )
    assert await fleet[0].sessions.replace(session, peers)
    assert await call == "access-of-a-peer"
    assert (await fleet[0].sessions.resume(session.handle)).record.refresh_token == "refresh-of-a-peer"


async def test_adopted_tokens_that_are_dead_are_not_used() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    fleet.double.end_grants()
    fleet.double.delay = 2.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(1)
    record = msgspec.structs.replace(session.record, refresh_token="refresh-of-a-peer")
    assert await fleet[0].sessions.replace(session, record)
    with pytest.raises(ProviderUnavailable) as caught:
        await call
    assert caught.value.reason == "refresh.too_late"


# --- no usable answer ---


UNUSABLE: list[tuple[httpx2.Response, type[GatewayError], str]] = [
    (httpx2.Response(503), ProviderUnavailable, "unavailable"),
    (httpx2.Response(200, text="<html>"), InvalidProviderAnswer, "invalid_answer"),
    (answer(401, error="invalid_client"), ClientRefused, "client_refused"),
]


@pytest.mark.parametrize(("response", "kind", "outcome"), UNUSABLE)
async def test_without_a_usable_answer_a_living_token_is_used_and_the_session_kept(
    response: httpx2.Response, kind: type[GatewayError], outcome: str
) -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.overrides["/token"] = lambda request: response
    assert await fleet[0].call(session.handle) == "access-0"
    assert await fleet[1].call(session.handle) == "access-0"
    assert fleet[0].outcomes == [outcome]
    assert fleet.token_requests == 1
    await asyncio.sleep(DEAD - DUE)
    with pytest.raises(kind) as caught:
        await fleet[0].call(session.handle)
    assert caught.value.retry_after
    fleet.double.overrides.clear()
    await asyncio.sleep(LONGEST_PAUSE)
    assert await fleet[1].call(session.handle) != "access-0"


async def test_a_dead_provider_gets_one_attempt_per_pause_from_all_instances_together() -> None:
    fleet = Fleet(size=3)
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    for _ in range(60):
        outcomes = await asyncio.gather(
            *(instance.call(session.handle) for instance in fleet.instances), return_exceptions=True
        )
        assert {type(outcome) for outcome in outcomes} == {ProviderUnavailable}
        assert all(
            0 < (outcome.retry_after or 0) <= PAUSE for outcome in outcomes if isinstance(outcome, ProviderUnavailable)
        )
        await asyncio.sleep(0.5)
    assert fleet.token_requests <= 30 / PAUSE + 1


async def test_a_refresh_that_found_no_free_connection_is_tried_again_by_the_next_call() -> None:
    """That says nothing about the provider: neither the session nor the provider is left alone for it."""
    fleet = Fleet()
    sessions = [await fleet.log_in() for _ in range(10)]
    await asyncio.sleep(DEAD)

    def busy(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.PoolTimeout("")

    fleet.double.overrides["/token"] = busy
    for session in sessions:
        with pytest.raises(ProviderBusy) as caught:
            await fleet[0].call(session.handle)
        assert caught.value.reason == "provider.busy"
    assert fleet.token_requests == 10
    fleet.double.overrides.clear()
    for session in sessions:
        assert await fleet[0].call(session.handle) != "access-0"


async def test_the_providers_retry_after_is_kept_to_within_reason() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(429, headers={"Retry-After": "20"})
    with pytest.raises(ProviderUnavailable):
        await fleet[0].call(session.handle)
    fleet.double.overrides.clear()
    await asyncio.sleep(19)
    with pytest.raises(ProviderUnavailable) as caught:
        await fleet[0].call(session.handle)
    assert caught.value.retry_after == pytest.approx(1)
    await asyncio.sleep(1)
    assert await fleet[0].call(session.handle) != "access-0"


async def test_a_pause_that_the_store_does_not_take_is_kept_by_the_instance() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    fleet[0].store.losing = ["put"]
    assert await fleet[0].call(session.handle) == "access-0"
    assert await fleet[0].call(session.handle) == "access-0"
    assert fleet.token_requests == 1


async def test_many_sessions_do_not_line_up_at_a_provider_that_is_down() -> None:
    fleet = Fleet()
    sessions = [await fleet.log_in() for _ in range(50)]
    await asyncio.sleep(DEAD)
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    for session in sessions:
        with pytest.raises(ProviderUnavailable):
            await fleet[0].call(session.handle)
    assert fleet.token_requests == 5
    fleet.double.overrides.clear()
    await asyncio.sleep(PAUSE)
    for session in sessions:
        assert await fleet[0].call(session.handle) != "access-0"


# --- an answer that cannot be used, for which the refresh token was spent ---


def with_type(content_type: str) -> Callable[[httpx2.Response], httpx2.Response]:
    return lambda honest: httpx2.Response(200, content=honest.content, headers={"Content-Type": content_type})


def with_members(**members: Any) -> Callable[[httpx2.Response], httpx2.Response]:
    return lambda honest: answer(**{**honest.json(), **members})


UNUSABLE_TOKENS = [
    pytest.param(with_type("text/html"), "token.content_type", id="of another media type"),
    pytest.param(with_members(token_type="mac"), "token.token_type", id="of another type"),
    pytest.param(with_members(token_type=None), "token.token_type", id="of no type"),
    pytest.param(with_members(access_token=None), "token.access_token", id="left out"),
    pytest.param(with_members(access_token="a\nb"), "token.access_token", id="with a line break"),
    pytest.param(with_members(expires_in="soon"), "token.expires_in", id="with a lifetime that is none"),
    pytest.param(with_members(id_token=[]), "token.id_token", id="with an ID token that is none"),
    pytest.param(with_members(scope=[{}]), "token.scope", id="with a scope that is none"),
]


@pytest.mark.parametrize(("bend", "reason"), UNUSABLE_TOKENS)
async def test_the_new_refresh_token_is_kept_of_an_answer_whose_access_token_is(
    bend: Callable[[httpx2.Response], httpx2.Response], reason: str
) -> None:
    """The old one is spent; the provider would take another use of it for theft and end the session."""
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.overrides["/token"] = lambda request: bend(fleet.double._token(request))
    assert await fleet[0].call(session.handle) == "access-0"
    assert fleet[0].outcomes == ["invalid_answer"]
    fleet.double.overrides.clear()
    await asyncio.sleep(DEAD - DUE)
    assert await fleet[1].call(session.handle) == fleet.double.latest_access_token
    assert not fleet.double.reuse_detected


async def test_the_same_is_kept_of_an_answer_about_another_api() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.target_changes["https://invoices.example/v1"] = {"token_type": "mac"}
    with pytest.raises(InvalidProviderAnswer) as caught:
        await fleet[0].call(session.handle, INVOICES)
    assert caught.value.reason == "token.token_type"
    assert await fleet[0].call(session.handle) == fleet.double.latest_access_token
    assert not fleet.double.reuse_detected


@pytest.mark.parametrize("refresh_token", [["a"], "a\nb", "a" * 20_000, ""])
async def test_what_is_no_refresh_token_takes_the_place_of_none(refresh_token: object) -> None:
    fleet = Fleet()
    fleet.double.rotates = False
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    bend = with_members(refresh_token=refresh_token, token_type="mac")
    fleet.double.overrides["/token"] = lambda request: bend(fleet.double._token(request))
    assert await fleet[0].call(session.handle) == "access-0"
    fleet.double.overrides.clear()
    await asyncio.sleep(PAUSE)
    assert await fleet[0].call(session.handle) == fleet.double.latest_access_token


async def test_an_error_in_an_answer_brings_no_refresh_token() -> None:
    fleet = Fleet()
    fleet.double.rotates = False
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.overrides["/token"] = lambda request: answer(error="invalid_grant", refresh_token="not-ours")
    assert await fleet[0].call(session.handle) == "access-0"
    fleet.double.overrides.clear()
    await asyncio.sleep(PAUSE)
    assert await fleet[0].call(session.handle) == fleet.double.latest_access_token


async def test_a_refresh_token_of_an_unusable_answer_is_revoked_if_the_session_has_ended_meanwhile() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    bend = with_members(token_type="mac")
    fleet.double.overrides["/token"] = lambda request: bend(fleet.double._token(request))
    fleet.double.delay = 2.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(1)
    await fleet[0].sessions.end(session.key, "logout")
    with pytest.raises(SessionEnded):
        await call
    await fleet[0].provider.close()
    assert len(fleet.double.revoked) == 1


def cut_once(fleet: Fleet) -> None:
    """Let the provider spend the refresh token, and its answer be lost on the way."""

    def cut(request: httpx2.Request) -> httpx2.Response:
        honest = fleet.double._token(request)
        fleet.double.overrides.clear()
        return httpx2.Response(200, content=honest.content[:40], headers={"Content-Type": "application/json"})

    fleet.double.overrides["/token"] = cut


async def test_where_the_new_refresh_token_is_lost_the_old_one_is_used_again_after_the_pause() -> None:
    """Many providers allow for it, for as long as a minute: the session goes on, and nobody notices."""
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    cut_once(fleet)
    assert await fleet[0].call(session.handle) == "access-0"
    assert await fleet[1].call(session.handle) == "access-0"
    assert fleet.token_requests == 1, "not before the pause"
    fleet.double.forgives_reuse = True
    await asyncio.sleep(PAUSE)
    assert await fleet[1].call(session.handle) == fleet.double.latest_access_token
    assert await fleet[0].call(session.handle) == fleet.double.latest_access_token
    assert fleet.token_requests == 2


async def test_where_the_new_refresh_token_is_lost_a_strict_provider_ends_the_session_and_nobody_else_does() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    cut_once(fleet)
    assert await fleet[0].call(session.handle) == "access-0"
    await asyncio.sleep(PAUSE)
    with pytest.raises(SessionEnded) as caught:
        await fleet[0].call(session.handle)
    assert caught.value.reason == "refresh.grant_refused"
    assert fleet.token_requests == 2


# --- a refreshed ID token that is wrong ---


async def test_tokens_of_another_user_end_the_session_and_are_revoked() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.id_token_changes = {"sub": "user-2"}
    with pytest.raises(SessionEnded) as caught:
        await fleet[0].call(session.handle)
    assert caught.value.reason == "refresh.subject_changed"
    assert await fleet.memory.read(session.key) == Tombstone("subject_changed")
    await fleet[0].provider.close()
    assert len(fleet.double.revoked) == 2


async def test_after_a_refused_id_token_a_spent_refresh_token_is_not_used_again() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.id_token_changes = {"aud": "other"}
    for _ in range(10):
        assert await fleet[0].call(session.handle) == "access-0"
        await asyncio.sleep(4)
    assert fleet.token_requests == 1
    assert not fleet.double.reuse_detected
    await asyncio.sleep(10)
    with pytest.raises(SessionExpired):
        await fleet[0].call(session.handle)


async def test_a_record_that_changed_meanwhile_does_not_bring_a_spent_refresh_token_back() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.id_token_changes = {"aud": "other"}
    fleet.double.delay = 2.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(1)
    await fleet.change_claims(session.handle, name="Countess")
    assert await call == "access-0"
    await asyncio.sleep(PAUSE + 1)
    assert await fleet[0].call(session.handle) == "access-0"
    stored = (await fleet[0].sessions.resume(session.handle)).record
    assert (stored.refresh_token, stored.claims["name"]) == (None, "Countess")
    assert fleet.token_requests == 1


async def test_nor_does_a_store_that_was_away_when_the_id_token_was_refused() -> None:
    fleet = Fleet()
    session = await fleet.log_in(lifetime=1000)
    await asyncio.sleep(941)
    fleet.double.id_token_changes = {"aud": "other"}
    fleet.double.delay = 2.0
    call = asyncio.create_task(fleet[0].tokens.access_token(session))
    await asyncio.sleep(1)
    fleet[0].store.down = True
    assert (await call)[1].value == "access-0"
    await asyncio.sleep(5)
    fleet[0].store.down = False
    await asyncio.sleep(LEASE_LIFETIME + 1)
    stored = (await fleet[0].sessions.resume(session.handle)).record
    assert stored.refresh_token is None
    assert await fleet[0].call(session.handle) == "access-0"
    assert fleet.token_requests == 1


async def test_after_a_refused_id_token_a_refresh_token_that_was_not_spent_is_used_again_after_a_pause() -> None:
    fleet = Fleet()
    fleet.double.rotates = False
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.id_token_changes = {"aud": "other"}
    assert await fleet[0].call(session.handle) == "access-0"
    assert await fleet[0].call(session.handle) == "access-0"
    assert fleet.token_requests == 1
    fleet.double.id_token_changes = {}
    await asyncio.sleep(PAUSE)
    assert await fleet[0].call(session.handle) != "access-0"


async def test_a_refused_id_token_after_the_old_token_died_is_no_answer() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    fleet.double.id_token_changes = {"aud": "other"}
    with pytest.raises(InvalidProviderAnswer):
        await fleet[0].call(session.handle)
    with pytest.raises(SessionExpired):
        await fleet[0].call(session.handle)


async def test_a_refused_id_token_and_a_logout_at_once_is_a_logout() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DUE)
    fleet.double.id_token_changes = {"aud": "other"}
    fleet.double.delay = 2.0
    call = asyncio.create_task(fleet[0].call(session.handle))
    await asyncio.sleep(1)
    await fleet[0].sessions.end(session.key, "logout")
    with pytest.raises(SessionEnded):
        await call
