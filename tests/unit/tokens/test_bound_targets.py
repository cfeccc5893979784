"""Tokens for other APIs, exchanged ones and the gateway's own, bound to a key like the login's (RFC 9449)."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from bff.errors import InvalidProviderAnswer
from bff.oauth.dpop import new_dpop_key
from bff.settings.token_target import TokenTarget
from tests.support.fleet import Fleet
from tests.support.virtual_time import virtual_time

REPORTS = TokenTarget(resource="https://reports.example/v1")
EXCHANGED = TokenTarget(audience="reports", is_exchanged=True)
KEY = new_dpop_key(secrets.token_bytes).encoded


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


def bound_fleet(size: int = 1) -> Fleet:
    fleet = Fleet(size, dpop="require")
    fleet.double.metadata = {"dpop_signing_alg_values_supported": ["ES256"]}
    fleet.double.token_changes = {"token_type": "DPoP"}
    fleet.double.target_changes = {name: {"token_type": "DPoP"} for name in ("reports", "machine")}
    return fleet


@pytest.mark.parametrize("target", [REPORTS, EXCHANGED])
async def test_a_token_of_a_session_is_bound_to_the_sessions_key(target: TokenTarget) -> None:
    fleet = bound_fleet()
    session = await fleet.log_in(dpop_key=KEY)
    _, token = await fleet[0].tokens.access_token(session, target)
    assert token.dpop_key == KEY
    (request,) = [request for request in fleet.double.requests if request.url.path == "/token"]
    assert request.headers["dpop"]


async def test_a_bearer_token_of_a_session_with_a_key_is_not_taken_for_a_bound_one() -> None:
    fleet = Fleet(dpop="auto")
    fleet.double.metadata = {"dpop_signing_alg_values_supported": ["ES256"]}
    session = await fleet.log_in(dpop_key=KEY)
    for target in (REPORTS, EXCHANGED):
        _, token = await fleet[0].tokens.access_token(session, target)
        assert token.dpop_key is None
    assert (await fleet[0].tokens.refresh_now(session)).record.access_token.dpop_key is None


async def test_the_gateways_own_token_has_a_key_of_its_own_that_all_instances_share() -> None:
    fleet = bound_fleet(2)
    target = TokenTarget(audience="machine")
    first = await fleet[0].client_tokens.access_token(target)
    second = await fleet[1].client_tokens.access_token(target)
    assert first == second
    assert first.dpop_key not in (None, KEY)
    sealed = await fleet.memory.get(f"client-token:{fleet[0].provider.targets.client_token_name(target)}")
    assert sealed is not None
    assert first.dpop_key is not None
    assert first.dpop_key not in sealed


async def test_a_token_that_is_not_bound_is_refused_where_it_must_be() -> None:
    fleet = bound_fleet()
    fleet.double.target_changes = {}
    with pytest.raises(InvalidProviderAnswer):
        await fleet[0].client_tokens.access_token(TokenTarget(audience="machine"))
