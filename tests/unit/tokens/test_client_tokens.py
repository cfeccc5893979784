"""The gateway's own tokens: one for all instances, renewed ahead by one, sealed where they are shared."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from bff.errors import ClientRefused, InvalidProviderAnswer, ProviderUnavailable
from bff.settings.token_target import TokenTarget
from tests.support.fleet import Fleet
from tests.support.virtual_time import clock, virtual_time

PUBLIC = TokenTarget(resource="https://public.example/v1", scope=("read",))
OTHER = TokenTarget(audience="other")
DUE, DEAD = 250.0, 301.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


async def ready(size: int = 1, **settings: str) -> Fleet:
    fleet = Fleet(size, **settings)
    for instance in fleet.instances:
        await instance.provider.metadata()
    return fleet


async def token(fleet: Fleet, number: int = 0, target: TokenTarget = PUBLIC) -> str:
    return (await fleet[number].client_tokens.access_token(target)).value


def shared_name(fleet: Fleet, target: TokenTarget = PUBLIC) -> str:
    return f"client-token:{fleet[0].provider.targets.client_token_name(target)}"


def lease_name(fleet: Fleet) -> str:
    return f"client-token-lease:{fleet[0].provider.targets.client_token_name(PUBLIC)}"


async def test_the_token_is_asked_for_with_the_clients_own_grant() -> None:
    fleet = await ready()
    assert (await token(fleet)).startswith("client-")
    (form,) = fleet.double.forms("/token")
    assert form == {
        "grant_type": "client_credentials", "resource": "https://public.example/v1", "scope": "read",
    }  # fmt: skip


async def test_what_the_login_asks_for_stands_in_where_a_route_names_no_api() -> None:
    fleet = await ready(resource="https://api.example/", audience="api")
    await token(fleet, target=TokenTarget())
    await token(fleet, target=OTHER)
    first, second = fleet.double.forms("/token")
    assert (first["resource"], first["audience"]) == ("https://api.example/", "api")
    assert (second.get("resource"), second["audience"]) == (None, "other")


async def test_many_calls_on_three_instances_make_one_request() -> None:
    fleet = await ready(3)
    fleet.double.delay = 2.0
    tokens = await asyncio.gather(*(token(fleet, number % 3) for number in range(90)))
    assert len(set(tokens)) == 1
    assert fleet.token_requests == 1


async def test_every_target_has_its_own_token() -> None:
    fleet = await ready()
    assert await token(fleet) != await token(fleet, target=OTHER)
    assert await token(fleet, target=OTHER) == await token(fleet, target=OTHER)
    assert fleet.token_requests == 2


async def test_a_token_that_is_due_is_renewed_by_one_instance_while_all_go_on_with_it() -> None:
    fleet = await ready(3)
    old = {await token(fleet, number) for number in range(3)}
    await asyncio.sleep(DUE)
    fleet.double.delay = 3.0
    for number in range(30):
        held = fleet[number % 3].client_tokens.held(PUBLIC, clock())
        assert held is not None
        assert held.value in old
    await asyncio.sleep(4.0)
    for number in range(3):
        fleet[number].client_tokens.held(PUBLIC, clock())
    await asyncio.sleep(4.0)
    new = {await token(fleet, number) for number in range(3)}
    assert len(new) == 1
    assert new.isdisjoint(old)
    assert fleet.token_requests == 2


async def test_a_restarted_instance_takes_the_token_that_is_shared() -> None:
    fleet = await ready(2)
    assert await token(fleet, 0) == await token(fleet, 1)
    assert fleet.token_requests == 1


async def test_the_store_holds_the_token_sealed_and_no_longer_than_it_lives() -> None:
    fleet = await ready()
    value = await token(fleet)
    name = shared_name(fleet)
    sealed = await fleet.memory.get(name)
    assert sealed is not None
    assert value.encode() not in sealed
    await asyncio.sleep(DEAD)
    assert await fleet.memory.get(name) is None


@pytest.mark.parametrize("planted", [b"", b"planted", b"\x01" + b"x" * 60])
async def test_what_was_not_sealed_here_is_no_token(planted: bytes) -> None:
    fleet = await ready(2)
    await fleet.memory.put(shared_name(fleet), planted, lifetime=300)
    assert (await token(fleet)).startswith("client-")


async def test_a_token_sealed_for_one_api_opens_for_no_other() -> None:
    fleet = await ready(2)
    value = await token(fleet)
    sealed = await fleet.memory.get(shared_name(fleet))
    assert sealed is not None
    await fleet.memory.put(shared_name(fleet, OTHER), sealed, lifetime=300)
    assert await token(fleet, 1, OTHER) != value


@pytest.mark.parametrize(
    "settings", [{"resource": "https://other.example/"}, {"audience": "other"}, {"dpop": "require"}]
)
async def test_a_token_asked_for_by_other_settings_is_not_taken(settings: dict[str, str]) -> None:
    same = {"resource": "https://api.example/", "audience": "api"}
    fleet = Fleet(0)
    fleet.add(**same)
    old = await token(fleet, target=TokenTarget())
    fleet.add(**same | settings)
    if "dpop" in settings:
        fleet.double.target_changes["https://api.example/"] = {"token_type": "DPoP"}
    assert await token(fleet, 1, TokenTarget()) != old
    assert fleet.token_requests == 2


async def test_an_outage_of_the_provider_leaves_the_token_in_use_while_it_lives() -> None:
    fleet = await ready()
    value = await token(fleet)
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    await asyncio.sleep(DUE)
    for _ in range(5):
        assert await token(fleet) == value
        await asyncio.sleep(1)
    assert fleet.token_requests == 2
    await asyncio.sleep(DEAD - DUE)
    for _ in range(5):
        with pytest.raises(ProviderUnavailable):
            await token(fleet)
    assert fleet.token_requests == 3
    assert fleet[0].outcomes == ["client_token", "unavailable", "unavailable"]


async def test_after_an_outage_the_token_is_asked_for_again() -> None:
    fleet = await ready()
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    with pytest.raises(ProviderUnavailable):
        await token(fleet)
    del fleet.double.overrides["/token"]
    await asyncio.sleep(31)
    assert (await token(fleet)).startswith("client-")


async def test_without_the_store_every_instance_asks_for_itself() -> None:
    fleet = await ready(2)
    for instance in fleet.instances:
        instance.store.down = True
    values = {await token(fleet, number) for number in (0, 1, 0, 1)}
    assert len(values) == 2
    assert fleet.token_requests == 2


@pytest.mark.parametrize("error", ["invalid_target", "unauthorized_client", "invalid_grant", "access_denied"])
async def test_a_refusal_is_the_operators_fault_and_not_repeated_at_once(error: str) -> None:
    fleet = await ready()
    fleet.double.target_errors["https://public.example/v1"] = error
    with pytest.raises(ClientRefused):
        await token(fleet)
    with pytest.raises(ProviderUnavailable):
        await token(fleet)
    assert fleet.token_requests == 1
    assert (await token(fleet, target=OTHER)).startswith("client-")


async def test_a_refusal_is_an_answer_and_ends_the_silence_after_an_outage() -> None:
    fleet = await ready()
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    with pytest.raises(ProviderUnavailable):
        await token(fleet)
    del fleet.double.overrides["/token"]
    fleet.double.target_errors["https://public.example/v1"] = "invalid_target"
    await asyncio.sleep(31)
    with pytest.raises(ClientRefused):
        await token(fleet)
    assert (await token(fleet, target=OTHER)).startswith("client-")


async def test_less_scope_than_asked_for_is_refused() -> None:
    fleet = await ready()
    fleet.double.target_changes["https://public.example/v1"] = {"scope": "write"}
    with pytest.raises(InvalidProviderAnswer):
        await token(fleet)


async def test_the_scope_is_what_was_told_else_what_was_asked_for_else_none() -> None:
    fleet = await ready()
    asked = await fleet[0].client_tokens.access_token(PUBLIC)
    silent = await fleet[0].client_tokens.access_token(OTHER)
    fleet.double.target_changes["x"] = {"scope": "a b"}
    told = await fleet[0].client_tokens.access_token(TokenTarget(audience="x"))
    assert (asked.scope, silent.scope, told.scope) == (("read",), (), ("a", "b"))


async def test_an_instance_that_dies_with_the_lease_is_outlived() -> None:
    fleet = await ready()
    await fleet.memory.acquire(lease_name(fleet), owner="dead", lifetime=30)
    started = clock()
    assert (await token(fleet)).startswith("client-")
    assert 30 <= clock() - started < 32


async def test_a_lease_that_is_never_given_back_is_not_waited_for_for_ever() -> None:
    fleet = await ready()
    await fleet.memory.acquire(lease_name(fleet), owner="dead", lifetime=3000)
    with pytest.raises(ProviderUnavailable) as gave_up:
        await token(fleet)
    assert gave_up.value.reason == "client_token.held_elsewhere"


async def test_closing_ends_what_is_under_way() -> None:
    fleet = await ready()
    fleet.double.delay = 5.0
    call = asyncio.create_task(token(fleet))
    await asyncio.sleep(1)
    await fleet[0].client_tokens.close()
    with pytest.raises(ProviderUnavailable) as stopped:
        await call
    assert stopped.value.reason == "shutdown"


async def test_a_fresh_instance_goes_on_with_the_shared_token_if_the_provider_has_no_other() -> None:
    fleet = await ready(2)
    value = await token(fleet)
    await asyncio.sleep(DUE)
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    assert await token(fleet, 1) == value


async def test_an_instance_that_waits_does_not_leave_a_dead_token_alone() -> None:
    fleet = await ready(2)
    await token(fleet)
    await asyncio.sleep(299)
    await fleet.memory.acquire(lease_name(fleet), owner="other", lifetime=2)
    old = await token(fleet, 1)
    await asyncio.sleep(1.1)
    assert await token(fleet, 1) != old


async def test_a_token_that_an_api_refuses_is_replaced_on_every_instance_by_one_request() -> None:
    fleet = await ready(2)
    old = {await token(fleet, number) for number in (0, 1)}
    await asyncio.sleep(11)
    for instance in fleet.instances:
        instance.client_tokens.distrust(PUBLIC)
    new = {await token(fleet, number) for number in (0, 1)}
    assert len(new) == 1
    assert new.isdisjoint(old)
    assert fleet.token_requests == 2


async def test_an_api_that_refuses_every_token_does_not_have_them_asked_for_endlessly() -> None:
    fleet = await ready()
    fleet[0].client_tokens.distrust(PUBLIC)
    for _ in range(50):
        await token(fleet)
        fleet[0].client_tokens.distrust(PUBLIC)
        await asyncio.sleep(1)
    assert fleet.token_requests <= 6


async def test_a_token_that_lives_for_no_time_at_all_is_not_shared() -> None:
    fleet = await ready()
    fleet.double.lifetime = 0
    await token(fleet)
    assert await fleet.memory.get(shared_name(fleet)) is None


async def test_a_provider_that_is_left_alone_is_left_alone_for_all_apis() -> None:
    fleet = await ready()
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    for target in (PUBLIC, OTHER):
        with pytest.raises(ProviderUnavailable):
            await token(fleet, target=target)
    assert fleet.token_requests == 1
