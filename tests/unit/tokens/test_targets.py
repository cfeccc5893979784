"""Tokens for several APIs from one refresh token: each route gets its own, one request at a time, none by mistake."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from bff.errors import ClientRefused, InvalidProviderAnswer, ProviderUnavailable, SessionEnded, SessionExpired
from bff.session.record import AccessToken
from bff.settings.token_target import TokenTarget
from bff.tokens.turn import PAUSE
from tests.support.fleet import Fleet
from tests.support.signed_tokens import rsa_key, sign
from tests.support.virtual_time import EPOCH, virtual_time

REPORTS = TokenTarget(resource="https://reports.example/v1")
BILLING = TokenTarget(audience="billing", scope=("read:bills",))
DUE, DEAD = 250.0, 301.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


def access_jwt(**claims: Any) -> str:
    """Return an access token that can be read."""
    return sign({"sub": "user-1", **claims}, algorithm="RS256", key=rsa_key(), kid="key-1")


# --- each API gets its own ---


async def test_a_target_is_asked_for_with_the_sessions_refresh_token_and_kept() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    token = await fleet[0].call(session.handle, REPORTS)
    form = fleet.double.forms("/token")[-1]
    assert form["grant_type"] == "refresh_token"
    assert form["resource"] == "https://reports.example/v1"
    assert await fleet[0].call(session.handle, REPORTS) == token
    assert await fleet[0].call(session.handle) == "access-0"
    assert fleet.token_requests == 1
    record = (await fleet[0].sessions.resume(session.handle)).record
    kept = record.target_tokens[REPORTS.name]
    assert (kept.value, kept.expires_at, kept.received_at) == (token, EPOCH + 300, EPOCH)
    assert record.refresh_token != session.record.refresh_token


async def test_audience_and_scope_go_along_as_they_are_written() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await fleet[0].call(session.handle, BILLING)
    form = fleet.double.forms("/token")[-1]
    assert (form["audience"], form["scope"]) == ("billing", "read:bills")
    assert "resource" not in form


async def test_the_logins_resource_stands_in_where_only_a_scope_is_named() -> None:
    fleet = Fleet(resource="https://api.example/")
    session = await fleet.log_in()
    await fleet[0].call(session.handle, TokenTarget(scope=("read:bills",)))
    assert fleet.double.forms("/token")[-1]["resource"] == "https://api.example/"
    await fleet[0].call(session.handle, BILLING)
    assert "resource" not in fleet.double.forms("/token")[-1]


async def test_tokens_of_two_apis_and_the_login_are_renewed_each_by_itself() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    first = [await fleet[0].call(session.handle, target) for target in (None, REPORTS, BILLING)]
    await asyncio.sleep(DEAD)
    second = [await fleet[0].call(session.handle, target) for target in (None, REPORTS, BILLING)]
    assert len({*first, *second}) == 6
    assert fleet.token_requests == 5
    assert not fleet.double.reuse_detected


async def test_the_scope_of_a_target_is_what_the_answer_says_else_what_was_asked_else_the_logins() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    scopes = []
    for told, target in (
        ("read:bills write:bills", BILLING),
        (None, TokenTarget(scope=("read:x",))),
        (None, REPORTS),
    ):
        fleet.double.token_changes = {"scope": told}
        scopes.append((await fleet[0].tokens.access_token(session, target))[1].scope)
        session = await fleet[0].sessions.resume(session.handle)
    assert scopes == [("read:bills", "write:bills"), ("read:x",), ("openid", "read:timesheets")]


async def test_a_target_without_a_lifetime_is_not_kept_for_ever() -> None:
    fleet = Fleet()
    fleet.double.lifetime = None
    session = await fleet.log_in()
    _, token = await fleet[0].tokens.access_token(session, REPORTS)
    assert token.expires_at == EPOCH + 300


async def test_expired_tokens_of_targets_nobody_asks_for_leave_the_record() -> None:
    fleet = Fleet()
    session = await fleet.log_in(lifetime=3600)
    await fleet[0].call(session.handle, REPORTS)
    await asyncio.sleep(DEAD)
    await fleet[0].call(session.handle, BILLING)
    record = (await fleet[0].sessions.resume(session.handle)).record
    assert list(record.target_tokens) == [BILLING.name]


# --- one request at a time ---


async def test_two_apis_tokens_that_expire_at_once_on_three_instances_are_renewed_strictly_one_after_the_other() -> (
    None
):
    fleet = Fleet(size=3)
    session = await fleet.log_in()
    for target in (REPORTS, BILLING):
        await fleet[0].call(session.handle, target)
    await asyncio.sleep(DEAD)
    fleet.double.delay = 2.0
    under_way, most = 0, 0
    ask = fleet.double._handle

    async def counted(request: Any) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await ask(request)
        finally:
            under_way -= 1

    for instance in fleet.instances:
        instance.provider._transport._pool.handler = counted  # type: ignore[attr-defined]
    before = fleet.token_requests
    wanted = [(number, target) for number in range(60) for target in (None, REPORTS, BILLING)]
    tokens = await asyncio.gather(*(fleet[number % 3].call(session.handle, target) for number, target in wanted))
    by_target = {target: {t for t, (_, asked) in zip(tokens, wanted, strict=True) if asked == target}
                 for target in (None, REPORTS, BILLING)}  # fmt: skip
    assert [len(found) for found in by_target.values()] == [1, 1, 1]
    assert len(set().union(*by_target.values())) == 3
    assert fleet.token_requests - before == 3
    assert most == 1
    assert not fleet.double.reuse_detected


async def test_a_forced_refresh_has_the_tokens_of_other_apis_asked_for_anew() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    before = await fleet[0].call(session.handle, REPORTS)
    session = await fleet[0].sessions.resume(session.handle)
    session = await fleet[0].tokens.refresh_now(session)
    assert session.record.target_tokens == {}
    assert await fleet[0].call(session.handle, REPORTS) != before


# --- what is not the token asked for is not used ---


@pytest.mark.parametrize(
    ("target", "changes", "reason"),
    [
        (REPORTS, {"access_token": access_jwt(aud="https://api.example/")}, "token.audience"),
        (REPORTS, {"access_token": access_jwt(aud=["https://api.example/"])}, "token.audience"),
        (REPORTS, {"access_token": access_jwt()}, "token.audience"),
        (REPORTS, {"access_token": access_jwt(aud=7)}, "token.audience"),
        (BILLING, {"access_token": access_jwt(aud="reports")}, "token.audience"),
        (BILLING, {"scope": "openid"}, "token.scope_less_than_asked"),
        (BILLING, {"scope": ""}, "token.scope_less_than_asked"),
        (TokenTarget(scope=("a", "b")), {"scope": "a c"}, "token.scope_less_than_asked"),
    ],
)
async def test_an_answer_for_another_audience_or_with_less_scope_is_refused_and_its_refresh_token_kept(
    target: TokenTarget, changes: dict[str, Any], reason: str
) -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    key = target.resource or target.audience or " ".join(target.scope)
    fleet.double.target_changes[key] = changes
    with pytest.raises(InvalidProviderAnswer) as refused:
        await fleet[0].call(session.handle, target)
    assert refused.value.reason == reason
    # The refresh token of that answer is the one that is good now: the session goes on.
    record = (await fleet[0].sessions.resume(session.handle)).record
    assert record.refresh_token != session.record.refresh_token
    assert record.target_tokens == {}
    await asyncio.sleep(DEAD)
    assert await fleet[0].call(session.handle) != "access-0"
    assert not fleet.double.reuse_detected


@pytest.mark.parametrize(
    ("target", "claims"),
    [
        (REPORTS, {"aud": "https://reports.example/v1"}),
        (REPORTS, {"aud": ["x", "https://reports.example/v1/"]}),
        (REPORTS, {"aud": "https://reports.example"}),
        (TokenTarget(resource="https://reports.example/v1", expect_audience="b1b2"), {"aud": "b1b2"}),
        (TokenTarget(scope=("read",)), {"aud": "whoever"}),
    ],
)
async def test_a_token_for_what_was_asked_is_used(target: TokenTarget, claims: dict[str, Any]) -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.token_changes = {"access_token": access_jwt(**claims)}
    assert await fleet[0].call(session.handle, target) == fleet.double.token_changes["access_token"]


@pytest.mark.parametrize("error", ["invalid_target", "invalid_scope", "unauthorized_client"])
async def test_a_target_the_provider_refuses_is_the_operators_fault_and_ends_nothing(error: str) -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    fleet.double.target_errors["https://reports.example/v1"] = error
    with pytest.raises(ClientRefused):
        await fleet[0].call(session.handle, REPORTS)
    asked = fleet.token_requests
    for instance in fleet.instances:
        with pytest.raises(ProviderUnavailable):
            await instance.call(session.handle, REPORTS)
    assert fleet.token_requests == asked
    # The other APIs are not left without tokens.
    await fleet[1].call(session.handle, BILLING)
    await asyncio.sleep(DUE)
    assert await fleet[1].call(session.handle) != "access-0"


async def test_a_refusal_is_asked_about_again_after_a_pause() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.target_errors["https://reports.example/v1"] = "invalid_target"
    with pytest.raises(ClientRefused):
        await fleet[0].call(session.handle, REPORTS)
    del fleet.double.target_errors["https://reports.example/v1"]
    await asyncio.sleep(30 + PAUSE)
    await fleet[0].call(session.handle, REPORTS)


async def test_an_outage_leaves_the_token_of_a_target_in_use_while_it_lives() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    token = await fleet[0].call(session.handle, REPORTS)
    await asyncio.sleep(DUE)
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    assert await fleet[0].call(session.handle, REPORTS) == token
    await asyncio.sleep(DEAD - DUE)
    with pytest.raises(ProviderUnavailable):
        await fleet[0].call(session.handle, REPORTS)


async def test_a_grant_that_has_ended_ends_the_session_whatever_it_was_asked_for() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.end_grants()
    with pytest.raises(SessionEnded):
        await fleet[0].call(session.handle, REPORTS)
    assert fleet.token_requests == 2
    assert fleet[0].outcomes == ["grant_refused"]


async def test_a_grant_that_is_refused_for_one_api_alone_ends_nothing() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    fleet.double.target_errors["https://reports.example/v1"] = "invalid_grant"
    with pytest.raises(ClientRefused) as refused:
        await fleet[0].call(session.handle, REPORTS)
    assert refused.value.reason == "target.grant_refused"
    for instance in fleet.instances:
        with pytest.raises(ProviderUnavailable):
            await instance.call(session.handle, REPORTS)
    assert fleet.token_requests == 2
    # The login's own token was renewed on that occasion, and is good.
    assert await fleet[1].call(session.handle) == fleet.double.latest_access_token
    assert not fleet.double.reuse_detected


async def test_an_outage_while_the_login_is_asked_about_decides_nothing() -> None:
    fleet = Fleet()
    session = await fleet.log_in()

    def answer(request: httpx2.Request) -> httpx2.Response:
        is_target = b"resource" in request.content
        return httpx2.Response(400, json={"error": "invalid_grant"}) if is_target else httpx2.Response(503)

    fleet.double.overrides["/token"] = answer
    with pytest.raises(ProviderUnavailable):
        await fleet[0].call(session.handle, REPORTS)
    assert await fleet[0].call(session.handle) == "access-0"


async def test_without_a_refresh_token_there_is_no_token_for_another_api_but_the_session_lives() -> None:
    fleet = Fleet()
    session = await fleet.log_in(refresh_token=None)
    with pytest.raises(ClientRefused) as refused:
        await fleet[0].call(session.handle, REPORTS)
    assert refused.value.reason == "target.no_refresh_token"
    assert await fleet[0].call(session.handle) == "access-0"
    await asyncio.sleep(DEAD)
    with pytest.raises(SessionExpired):
        await fleet[0].tokens.access_token(session, REPORTS)


async def test_a_token_of_a_target_that_cannot_be_renewed_is_used_to_its_last_second() -> None:
    fleet = Fleet()
    kept = AccessToken("kept", EPOCH + 100, (), EPOCH)
    session = await fleet.log_in(refresh_token=None, target_tokens={REPORTS.name: kept})
    assert fleet[0].tokens.held(session, EPOCH + 99, REPORTS) == kept
    assert fleet[0].tokens.held(session, EPOCH + 101, REPORTS) is None


async def test_an_id_token_that_comes_with_a_targets_answer_is_checked_as_any_other() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.id_token_changes = {"sub": "somebody-else"}
    with pytest.raises(SessionEnded):
        await fleet[0].call(session.handle, REPORTS)
