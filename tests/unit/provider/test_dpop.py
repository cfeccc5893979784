"""Tokens that are bound to a key, asked of the provider: proofs, its nonces, and what may come back (RFC 9449)."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from typing import Any

import httpx2
import pytest
from joserfc.jwk import ECKey

from bff.errors import ClientRefused, GrantRefused, InvalidProviderAnswer, LoginFailed
from bff.oauth.dpop import DpopKey, new_dpop_key
from bff.provider import Login, Provider
from bff.session.record import SessionRecord
from bff.tokens import record_from_login
from tests.support.dpop_verifier import DpopVerifier, claims_of
from tests.support.provider_double import ProviderDouble, answer
from tests.support.signed_tokens import ISSUER
from tests.support.virtual_time import EPOCH, clock, virtual_time
from tests.unit.provider.test_provider import code_of, provider_of, record, transaction

KEY = new_dpop_key(secrets.token_bytes)
PAR = {"pushed_authorization_request_endpoint": f"{ISSUER}/par"}
LISTED = {"dpop_signing_alg_values_supported": ["ES256", "PS256"]}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


@pytest.fixture
def double() -> ProviderDouble:
    return ProviderDouble(clock=clock, metadata={**PAR, **LISTED}, token_changes={"token_type": "DPoP"})


def bound(double: ProviderDouble, mode: str = "require", **variables: str) -> Provider:
    return provider_of(double, dpop=mode, **variables)


async def login(provider: Provider) -> Login:
    return await provider.redeem(await code_of(provider), transaction(dpop_key=KEY.encoded))


def record_of(done: Login) -> SessionRecord:
    return record_from_login(done, now=EPOCH, max_lifetime=28800)


def asked(double: ProviderDouble, path: str) -> list[httpx2.Request]:
    return [request for request in double.requests if request.url.path == path]


def demand_nonces(double: ProviderDouble, path: str, nonces: list[str], *, status: int = 400) -> DpopVerifier:
    """Let a path take only proofs with the newest of the nonces, which are used up one after the other."""
    server, honest = DpopVerifier(), double.overrides.get(path)
    ready: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        handler = honest or double._handlers()[path]
        expected = ready[-1] if ready else None
        proof, url = request.headers["dpop"], f"{ISSUER}{path}"
        authorization = request.headers.get("authorization", "")
        token = authorization.removeprefix("DPoP ") if authorization.startswith("DPoP ") else None
        server.verify(proof, method=request.method, url=url, now=clock(), nonce=expected, access_token=token)
        if nonces:
            ready.append(nonces.pop(0))
            response = answer(status, error="use_dpop_nonce")
            response.headers["www-authenticate"] = 'DPoP error="use_dpop_nonce"'
        else:
            response = handler(request)
        if ready:
            response.headers["dpop-nonce"] = ready[-1]
        return response

    double.overrides[path] = handle
    return server


async def test_push_code_refresh_and_userinfo_carry_proofs_of_the_sessions_one_key(double: ProviderDouble) -> None:
    servers = {path: demand_nonces(double, path, []) for path in ("/par", "/token", "/userinfo")}
    provider = bound(double, userinfo="on")
    await provider.login_url(transaction(dpop_key=KEY.encoded), {})
    session = record_of(await login(provider))
    await provider.refresh(session)
    await provider.claims(session, None)
    assert double.forms("/par")[0]["dpop_jkt"] == KEY.thumbprint
    assert [len(servers[path].seen) for path in ("/par", "/token", "/userinfo")] == [1, 2, 2]
    assert session.dpop_key == session.access_token.dpop_key == KEY.encoded


async def test_without_a_push_the_code_is_bound_to_the_key_in_the_browsers_url(double: ProviderDouble) -> None:
    url = await bound(double, par="off").login_url(transaction(dpop_key=KEY.encoded), {})
    assert f"dpop_jkt={KEY.thumbprint}" in url


@pytest.mark.parametrize("path, status", [("/par", 400), ("/token", 400), ("/token", 401), ("/userinfo", 401)])
async def test_a_request_refused_for_want_of_the_nonce_is_made_once_more(
    double: ProviderDouble, path: str, status: int
) -> None:
    server = demand_nonces(double, path, ["nonce-1"], status=status)
    provider = bound(double, userinfo="on")
    await provider.login_url(transaction(dpop_key=KEY.encoded), {})
    await login(provider)
    assert len(server.seen) == 2


async def test_a_request_made_once_more_has_an_assertion_of_its_own_as_well(double: ProviderDouble) -> None:
    demand_nonces(double, "/token", ["nonce-1"])
    variables = {"client_auth": "private_key_jwt", "client_key": jwk_text(), "client_secret": ""}
    await login(bound(double, **variables))
    first, second = double.forms("/token")
    assert first["client_assertion"] != second["client_assertion"]
    assert first["code"] == second["code"]


def jwk_text() -> str:
    return json.dumps(ECKey.generate_key("P-256").as_dict(private=True))


async def test_the_nonce_of_a_success_is_used_next(double: ProviderDouble) -> None:
    demand_nonces(double, "/token", ["nonce-1"])
    provider = bound(double)
    session = record_of(await login(provider))
    await provider.refresh(session)
    assert double.calls["/token"] == 3, "the refresh needed no second attempt"


def rotate_nonces(double: ProviderDouble, path: str) -> Counter[str]:
    """Let every answer of a path give a nonce that is good for one request; return what became of the requests."""
    good: set[str] = set()
    outcomes: Counter[str] = Counter()
    honest = double.overrides.get(path)

    def handle(request: httpx2.Request) -> httpx2.Response:
        nonce = claims_of(request.headers["dpop"]).get("nonce", "")
        is_good = nonce in good
        good.discard(nonce)
        outcomes["served" if is_good else "refused"] += 1
        if is_good:
            response = (honest or double._handlers()[path])(request)
        else:
            response = answer(400 if path == "/token" else 401, error="use_dpop_nonce")
            response.headers["www-authenticate"] = 'DPoP error="use_dpop_nonce"'
        good.add(fresh := f"nonce-{outcomes.total()}")
        response.headers["dpop-nonce"] = fresh
        return response

    double.overrides[path] = handle
    return outcomes


@pytest.mark.parametrize("path", ["/token", "/userinfo"])
async def test_requests_in_flight_with_the_same_nonce_are_each_made_once_more_with_their_own(
    double: ProviderDouble, path: str
) -> None:
    provider = bound(double, userinfo="on")
    sessions = [record_of(await login(provider)) for _ in range(4)]
    outcomes = rotate_nonces(double, path)
    # Answers overtake each other: whoever looks at the newest nonce alone sends somebody else's.
    double.delay = 1.0
    if path == "/token":
        await asyncio.gather(*(provider.refresh(session) for session in sessions))
    else:
        await asyncio.gather(*(provider.claims(session, None) for session in sessions))
    assert outcomes == {"served": 4, "refused": 4}
    if path == "/token":
        await login(provider)
    else:
        await provider.claims(sessions[0], None)
    assert outcomes == {"served": 5, "refused": 4}, "the nonce of the latest answer is good for the next request"


@pytest.mark.parametrize("path", ["/token", "/userinfo"])
async def test_a_request_that_overtakes_one_made_once_more_does_not_use_up_its_nonce(
    double: ProviderDouble, path: str
) -> None:
    provider = bound(double, userinfo="on")
    sessions = [record_of(await login(provider)) for _ in range(2)]
    outcomes = rotate_nonces(double, path)

    async def ask(session: SessionRecord) -> object:
        if path == "/token":
            return await provider.refresh(session)
        return await provider.claims(session, None)

    double.delay = 1.0
    first = asyncio.create_task(ask(sessions[0]))
    await asyncio.sleep(1.5)
    assert outcomes == {"refused": 1}, "the first is on its way again"
    double.delay = 0.0
    await ask(sessions[1])
    await first
    assert outcomes == {"served": 2, "refused": 2}


async def test_the_nonce_of_a_request_made_once_more_is_the_newest_if_its_answer_gives_none(
    double: ProviderDouble,
) -> None:
    demand_nonces(double, "/token", ["nonce-1"])
    demanding = double.overrides["/token"]

    def without_nonce(request: httpx2.Request) -> httpx2.Response:
        response = demanding(request)
        if response.status_code == 200:
            del response.headers["dpop-nonce"]
        return response

    double.overrides["/token"] = without_nonce
    provider = bound(double)
    await provider.refresh(record_of(await login(provider)))
    assert double.calls["/token"] == 3


async def test_a_second_demand_ends_the_attempt(double: ProviderDouble) -> None:
    demand_nonces(double, "/token", ["nonce-1", "nonce-2"])
    provider = bound(double)
    with pytest.raises(LoginFailed):
        await login(provider)
    assert double.calls["/token"] == 2


async def test_a_demand_without_a_nonce_is_a_refusal(double: ProviderDouble) -> None:
    double.overrides["/token"] = lambda request: answer(400, error="use_dpop_nonce")
    with pytest.raises(LoginFailed):
        await login(bound(double))
    assert double.calls["/token"] == 1


async def test_a_refresh_refused_for_want_of_the_nonce_ends_no_session(double: ProviderDouble) -> None:
    provider = bound(double)
    session = record_of(await login(provider))
    demand_nonces(double, "/token", ["nonce-1", "nonce-2"])
    with pytest.raises(InvalidProviderAnswer):
        await provider.refresh(session)


async def test_a_refused_proof_is_the_operators_fault(double: ProviderDouble) -> None:
    double.overrides["/token"] = lambda request: answer(400, error="invalid_dpop_proof")
    with pytest.raises(ClientRefused):
        await login(bound(double))


@pytest.mark.parametrize("token_type", ["DPoP", "dpop", "DPOP"])
async def test_the_type_may_be_in_any_case(double: ProviderDouble, token_type: str) -> None:
    double.token_changes["token_type"] = token_type
    assert record_of(await login(bound(double))).access_token.dpop_key == KEY.encoded


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "N_A", ""])
async def test_where_bound_tokens_are_required_no_other_is_taken(double: ProviderDouble, token_type: str) -> None:
    double.token_changes["token_type"] = token_type
    with pytest.raises(LoginFailed, match="token_type"):
        await login(bound(double))


async def test_a_refresh_that_loses_the_binding_is_refused_where_it_is_required(double: ProviderDouble) -> None:
    provider = bound(double)
    session = record_of(await login(provider))
    double.token_changes["token_type"] = "Bearer"
    refreshed = await provider.refresh(session)
    assert (refreshed.misfit, refreshed.tokens.access_token) == ("token.token_type", "")
    assert refreshed.tokens.refresh_token not in (None, session.refresh_token), "the old one is spent"


async def test_automatically_the_answer_decides_how_the_token_is_used(double: ProviderDouble) -> None:
    double.token_changes["token_type"] = "Bearer"
    session = record_of(await login(bound(double, "auto")))
    assert "dpop" in asked(double, "/token")[0].headers
    assert session.access_token.dpop_key is None
    assert session.dpop_key == KEY.encoded


@pytest.mark.parametrize("listed", [..., [], ["RS256", "EdDSA"]])
async def test_automatically_no_proof_is_sent_to_a_provider_that_does_not_list_our_algorithm(
    double: ProviderDouble, listed: Any
) -> None:
    double.metadata["dpop_signing_alg_values_supported"] = listed
    double.token_changes["token_type"] = "Bearer"
    provider = bound(double, "auto")
    await provider.login_url(transaction(dpop_key=KEY.encoded), {})
    session = record_of(await login(provider))
    assert "dpop_jkt" not in double.forms("/par")[0]
    assert all("dpop" not in request.headers for request in double.requests)
    assert session.dpop_key is None


@pytest.mark.parametrize("mode", ["off", "auto"])
async def test_a_bound_token_that_was_not_asked_for_is_refused(double: ProviderDouble, mode: str) -> None:
    double.metadata["dpop_signing_alg_values_supported"] = ...
    with pytest.raises(LoginFailed, match="token_type"):
        await login(bound(double, mode))


async def test_a_session_begun_without_a_key_ends_where_bound_tokens_are_required_now(double: ProviderDouble) -> None:
    with pytest.raises(GrantRefused):
        await bound(double).refresh(record())
    assert double.calls["/token"] == 0


async def test_what_a_session_holds_is_revoked_with_proofs_of_its_key_as_keycloak_wants_it(
    double: ProviderDouble,
) -> None:
    provider = bound(double)
    session = record_of(await login(provider))
    server = demand_nonces(double, "/revoke", ["nonce-1"])
    provider.revoke_all_later(session)
    await provider.close()
    # The refresh token's twice, for want of the nonce, and the access token's.
    assert len(server.seen) == 3
    assert [form["token_type_hint"] for form in double.forms("/revoke")] == [
        "refresh_token",
        "refresh_token",
        "access_token",
    ]
    proof = asked(double, "/revoke")[-1].headers["dpop"]
    verified = DpopVerifier().verify(proof, method="POST", url=f"{ISSUER}/revoke", now=clock(), nonce="nonce-1")
    assert verified == KEY.thumbprint


async def test_so_are_the_tokens_of_a_login_that_is_refused(double: ProviderDouble) -> None:
    double.id_token_changes = {"aud": "another"}
    provider = bound(double)
    with pytest.raises(LoginFailed):
        await login(provider)
    await provider.close()
    proofs = [request.headers["dpop"] for request in asked(double, "/revoke")]
    server = DpopVerifier()
    thumbprints = [server.verify(proof, method="POST", url=f"{ISSUER}/revoke", now=clock()) for proof in proofs]
    assert thumbprints == [KEY.thumbprint] * 2


async def test_tokens_of_no_session_are_revoked_without_a_proof(double: ProviderDouble) -> None:
    assert await bound(double).revoke("refresh-1", "refresh_token")
    assert "dpop" not in asked(double, "/revoke")[0].headers


async def test_a_key_once_kept_is_used_for_the_next_refresh(double: ProviderDouble) -> None:
    provider = bound(double)
    session = record_of(await login(provider))
    await provider.refresh(session)
    proof = asked(double, "/token")[-1].headers["dpop"]
    thumbprint = DpopVerifier().verify(proof, method="POST", url=f"{ISSUER}/token", now=clock())
    assert thumbprint == DpopKey(KEY.encoded).thumbprint
