"""Tokens that were bound to the client's certificate, once that has been renewed (RFC 8705 section 3)."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from typing import Any

import httpx2
import pytest

from bff.oauth.dpop import new_dpop_key
from bff.session.record import AccessToken
from bff.settings.token_target import TokenTarget
from bff.tokens.turn import PAUSE
from tests.support.certificates import client_certificate
from tests.support.fleet import Fleet
from tests.support.virtual_time import clock, virtual_time

INVOICES = TokenTarget(resource="https://invoices.example/v1")
KEY = new_dpop_key(secrets.token_bytes).encoded
OLD, NEW = (client_certificate(age=dt.timedelta(hours=hours)) for hours in (9, 1))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


def fleet_of(*pairs: tuple[str, str], binds: bool = True, **settings: str) -> Fleet:
    """Return instances with these certificates and keys."""
    fleet = Fleet(size=0)
    fleet.double.metadata = {"tls_client_certificate_bound_access_tokens": binds}
    for certificate, key in pairs:
        fleet.add(client_cert=certificate, client_cert_key=key, **settings)
    return fleet


def renew(fleet: Fleet, number: int = 0) -> None:
    """Let an instance have the new certificate."""
    certificate, key = NEW
    renewed = fleet_of((certificate, key))[0].provider.credentials
    credentials = fleet[number].provider.credentials
    credentials.authentication, credentials.certificate = renewed.authentication, renewed.certificate


async def log_in(fleet: Fleet, number: int = 0) -> bytes:
    """Start a session whose token was bound to the certificate of that instance; return its handle."""
    certificate = fleet[number].provider.credentials.certificate
    token = AccessToken("access-0", clock() + 300, ("openid",), certificate=certificate)
    return (await fleet.log_in(access_token=token)).handle


async def test_a_token_of_the_certificate_before_is_renewed_by_the_next_call_and_once() -> None:
    fleet = fleet_of(OLD)
    handle = await log_in(fleet)
    assert await fleet[0].call(handle) == "access-0"
    renew(fleet)
    outcomes = await asyncio.gather(*(fleet[0].call(handle) for _ in range(5)))
    assert outcomes == [fleet.double.latest_access_token] * 5
    assert await fleet[0].call(handle) == fleet.double.latest_access_token
    assert fleet.token_requests == 1


async def test_instances_of_which_one_has_the_new_certificate_do_not_renew_each_others_tokens() -> None:
    fleet = fleet_of(OLD, NEW)
    handle = await log_in(fleet)
    for _ in range(5):
        assert await fleet[1].call(handle) == fleet.double.latest_access_token
        assert await fleet[0].call(handle) == fleet.double.latest_access_token
    assert fleet.token_requests == 1


async def test_without_an_answer_the_token_at_hand_is_used_as_before() -> None:
    fleet = fleet_of(OLD)
    handle = await log_in(fleet)
    renew(fleet)
    fleet.double.overrides["/token"] = lambda request: httpx2.Response(503)
    assert await fleet[0].call(handle) == "access-0"
    assert await fleet[0].call(handle) == "access-0"
    assert fleet.token_requests == 1
    fleet.double.overrides.clear()
    await asyncio.sleep(PAUSE)
    assert await fleet[0].call(handle) != "access-0"


async def test_a_session_that_cannot_be_refreshed_goes_on_with_its_token() -> None:
    fleet = fleet_of(OLD)
    token = AccessToken("access-0", clock() + 300, ("openid",), certificate=fleet[0].provider.credentials.certificate)
    session = await fleet.log_in(access_token=token, refresh_token=None)
    renew(fleet)
    assert await fleet[0].call(session.handle) == "access-0"


async def test_the_tokens_for_other_apis_are_renewed_as_well() -> None:
    fleet = fleet_of(OLD)
    handle = await log_in(fleet)
    before = await fleet[0].call(handle, INVOICES)
    assert await fleet[0].call(handle, INVOICES) == before
    renew(fleet)
    after = await fleet[0].call(handle, INVOICES)
    assert after != before
    assert await fleet[0].call(handle, INVOICES) == after


async def test_the_gateways_own_tokens_are_renewed_as_well() -> None:
    fleet = fleet_of(OLD)
    tokens = fleet[0].client_tokens
    before = await tokens.access_token(INVOICES)
    renew(fleet)
    assert (await tokens.access_token(INVOICES)).value == before.value, "while the next is under way"
    await asyncio.sleep(1)
    after = await tokens.access_token(INVOICES)
    assert after.value != before.value
    await asyncio.sleep(1)
    assert (await tokens.access_token(INVOICES)).value == after.value


@pytest.mark.parametrize(
    ("binds", "settings", "token_type"),
    [
        (False, {}, "Bearer"),
        (True, {"dpop": "require"}, "DPoP"),
    ],
)
async def test_a_token_that_is_bound_to_no_certificate_is_left_alone(
    binds: bool, settings: dict[str, str], token_type: str
) -> None:
    fleet = fleet_of(OLD, binds=binds, **settings)
    fleet.double.token_changes["token_type"] = token_type
    session = await fleet.log_in(dpop_key=KEY)
    await asyncio.sleep(301)
    token = await fleet[0].call(session.handle)
    record = (await fleet[0].sessions.resume(session.handle)).record
    assert (record.access_token.value, record.access_token.certificate) == (token, None)
    if binds is False:
        renew(fleet)
    assert await fleet[0].call(session.handle) == token
    assert fleet.token_requests == 1
