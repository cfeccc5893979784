"""Token exchange: cached in the session, made once, dying with it, and never replaced by the original token."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from bff.errors import ClientRefused, InvalidProviderAnswer, NoSession, ProviderUnavailable
from bff.settings.token_target import TokenTarget
from bff.tokens.records import record_with_target
from tests.support.fleet import Fleet
from tests.support.virtual_time import EPOCH, virtual_time

REPORTS = TokenTarget(audience="reports", scope=("read:reports",), is_exchanged=True)
DUE, DEAD = 250.0, 301.0
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


async def test_the_logins_access_token_is_exchanged_and_the_new_one_kept_in_the_session() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    token = await fleet[0].call(session.handle, REPORTS)
    assert token.startswith("exchanged-")
    (form,) = fleet.double.forms("/token")
    assert form["grant_type"] == EXCHANGE
    assert form["subject_token"] == "access-0"
    assert form["subject_token_type"] == form["requested_token_type"] == ACCESS_TOKEN
    assert (form["audience"], form["scope"]) == ("reports", "read:reports")
    assert not {"refresh_token", "actor_token", "actor_token_type"} & form.keys()
    assert await fleet[1].call(session.handle, REPORTS) == token
    assert await fleet[0].call(session.handle) == "access-0"
    assert fleet.token_requests == 1
    kept = (await fleet[0].sessions.resume(session.handle)).record.target_tokens[REPORTS.name]
    assert (kept.expires_at, kept.scope) == (EPOCH + 300, ("read:reports",))


async def test_many_calls_on_three_instances_make_one_exchange() -> None:
    fleet = Fleet(size=3)
    session = await fleet.log_in()
    fleet.double.delay = 2.0
    tokens = await asyncio.gather(*(fleet[n % 3].call(session.handle, REPORTS) for n in range(60)))
    assert len(set(tokens)) == 1
    assert fleet.token_requests == 1


async def test_an_access_token_that_has_expired_is_refreshed_before_it_is_exchanged() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    await fleet[0].call(session.handle, REPORTS)
    refresh, exchange = fleet.double.forms("/token")
    assert refresh["grant_type"] == "refresh_token"
    record = (await fleet[0].sessions.resume(session.handle)).record
    assert exchange["subject_token"] == record.access_token.value != "access-0"


async def test_without_a_refresh_token_there_is_an_exchange_all_the_same() -> None:
    fleet = Fleet()
    session = await fleet.log_in(refresh_token=None)
    assert (await fleet[0].call(session.handle, REPORTS)).startswith("exchanged-")


async def test_an_exchanged_token_is_renewed_before_it_expires() -> None:
    fleet = Fleet()
    session = await fleet.log_in(lifetime=3600)
    first = await fleet[0].call(session.handle, REPORTS)
    await asyncio.sleep(DUE)
    assert await fleet[0].call(session.handle, REPORTS) != first


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"issued_token_type": None}, "token.issued_token_type"),
        ({"issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "token.issued_token_type"),
        ({"issued_token_type": "urn:ietf:params:oauth:token-type:jwt"}, "token.issued_token_type"),
        ({"issued_token_type": [ACCESS_TOKEN]}, "token.issued_token_type"),
        ({"token_type": "N_A"}, "token.token_type"),
        ({"scope": "read:other"}, "token.scope_less_than_asked"),
        ({"access_token": None}, "token.access_token"),
    ],
)
async def test_an_answer_that_is_not_the_access_token_asked_for_is_refused(
    changes: dict[str, Any], reason: str
) -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.target_changes["reports"] = changes
    with pytest.raises(InvalidProviderAnswer) as refused:
        await fleet[0].call(session.handle, REPORTS)
    assert refused.value.reason == reason
    assert (await fleet[0].sessions.resume(session.handle)).record.target_tokens == {}


@pytest.mark.parametrize("error", ["invalid_target", "invalid_request", "invalid_grant", "access_denied"])
async def test_a_refused_exchange_neither_falls_back_to_the_original_token_nor_ends_the_session(error: str) -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.target_errors["reports"] = error
    with pytest.raises(ClientRefused):
        await fleet[0].call(session.handle, REPORTS)
    with pytest.raises(ProviderUnavailable):
        await fleet[0].call(session.handle, REPORTS)
    assert fleet.token_requests == 1
    assert await fleet[0].call(session.handle) == "access-0"
    assert fleet[0].outcomes == ["exchange_refused"]


async def test_an_outage_leaves_the_exchanged_token_in_use_while_it_lives_and_no_longer() -> None:
    fleet = Fleet()
    session = await fleet.log_in(lifetime=3600)
    token = await fleet[0].call(session.handle, REPORTS)
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    await asyncio.sleep(DUE)
    assert await fleet[0].call(session.handle, REPORTS) == token
    await asyncio.sleep(DEAD - DUE)
    with pytest.raises(ProviderUnavailable):
        await fleet[0].call(session.handle, REPORTS)
    assert await fleet[0].call(session.handle) == "access-0"


async def test_a_logout_during_the_exchange_wins_and_the_new_token_is_given_back() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.delay = 2.0
    call = asyncio.create_task(fleet[0].call(session.handle, REPORTS))
    await asyncio.sleep(1.0)
    await fleet[0].sessions.end(session.key, "logout")
    with pytest.raises(NoSession):
        await call
    await fleet[0].provider.close()
    assert [token.startswith("exchanged-") for token in fleet.double.revoked] == [True]


async def test_a_change_of_the_record_during_the_exchange_is_kept() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.delay = 2.0
    call = asyncio.create_task(fleet[0].call(session.handle, REPORTS))
    await asyncio.sleep(1.0)
    await fleet.change_claims(session.handle, nickname="ada")
    await call
    record = (await fleet[0].sessions.resume(session.handle)).record
    assert record.claims["nickname"] == "ada"
    assert REPORTS.name in record.target_tokens


async def test_an_instance_that_waited_takes_the_token_of_the_other() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    name = f"exchange:{session.key}:{REPORTS.name}"
    await fleet.memory.acquire(name, owner="other", lifetime=30)
    call = asyncio.create_task(fleet[1].call(session.handle, REPORTS))
    await asyncio.sleep(1)
    token = await fleet[0].provider.targets.exchange(session.record, REPORTS)
    record = record_with_target(session.record, REPORTS, token)
    assert await fleet[0].sessions.replace(session, record) is not None
    assert await call == token.value
    assert fleet.token_requests == 1


async def test_a_refusal_on_one_instance_is_heeded_by_the_others() -> None:
    fleet = Fleet(size=2)
    session = await fleet.log_in()
    fleet.double.target_errors["reports"] = "invalid_target"
    with pytest.raises(ClientRefused):
        await fleet[0].call(session.handle, REPORTS)
    with pytest.raises(ProviderUnavailable):
        await fleet[1].call(session.handle, REPORTS)
    assert fleet.token_requests == 1


async def test_a_token_that_was_exchanged_elsewhere_meanwhile_is_not_exchanged_again() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    exchanger = fleet[0].tokens._exchanger
    first = await exchanger.run(session, REPORTS)
    assert (await exchanger.run(session, REPORTS)).session.record == first.session.record
    assert fleet.token_requests == 1


async def test_an_access_token_that_dies_before_its_turn_is_not_exchanged() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await asyncio.sleep(DEAD)
    outcome = await fleet[0].tokens._exchanger.run(session, REPORTS)
    assert isinstance(outcome.failure, ProviderUnavailable)
    assert fleet.token_requests == 0


async def test_a_provider_that_was_not_asked_is_asked_at_the_next_call() -> None:
    fleet = Fleet()
    session = await fleet.log_in()

    def busy(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.PoolTimeout("busy")

    fleet.double.overrides["/token"] = busy
    with pytest.raises(ProviderUnavailable):
        await fleet[0].call(session.handle, REPORTS)
    del fleet.double.overrides["/token"]
    assert (await fleet[0].call(session.handle, REPORTS)).startswith("exchanged-")


async def test_a_record_that_never_stands_still_is_not_waited_for_for_ever() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    changes = 0

    async def change() -> None:
        nonlocal changes
        changes += 1
        fleet[0].store.before.clear()
        await fleet.change_claims(session.handle, changes=changes)
        fleet[0].store.before["update"] = change

    fleet[0].store.before["update"] = change
    with pytest.raises(ProviderUnavailable) as contended:
        await fleet[0].call(session.handle, REPORTS)
    assert contended.value.reason == "exchange.contended"


async def test_a_forced_refresh_drops_exchanged_tokens_also_from_a_record_that_changed_meanwhile() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    await fleet[0].call(session.handle, REPORTS)
    fleet.double.delay = 2.0
    refresh = asyncio.create_task(fleet[0].tokens.refresh_now(await fleet[0].sessions.resume(session.handle)))
    await asyncio.sleep(1)
    await fleet.change_claims(session.handle, name="Countess")
    assert (await refresh).record.target_tokens == {}
    assert (await fleet[0].sessions.resume(session.handle)).record.target_tokens == {}


async def test_what_was_exchanged_for_a_token_refreshed_meanwhile_serves_its_own_call_alone() -> None:
    fleet = Fleet()
    session = await fleet.log_in()
    fleet.double.delay = 2.0
    call = asyncio.create_task(fleet[0].call(session.handle, REPORTS))
    await asyncio.sleep(1)
    fleet.double.delay = 0.0
    await fleet[0].tokens.refresh_now(session)
    token = await call
    assert token.startswith("exchanged-")
    assert (await fleet[0].sessions.resume(session.handle)).record.target_tokens == {}
    assert await fleet[0].call(session.handle, REPORTS) != token
