"""The token, revocation and userinfo endpoints."""

import base64
import hashlib
from urllib.parse import quote_plus

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from bff.demo.provider import Client, create_provider
from tests.support.provider_client import (
    AUDIENCE,
    CLIENT_ID,
    ISSUER,
    SECRET,
    ProviderClient,
    provider_client,
)

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def error_of(provider: ProviderClient, **form: str) -> str:
    answer = await provider.token(**form)
    assert answer.status_code in {400, 401}
    return str(answer.json()["error"])


async def test_access_tokens_follow_the_jwt_profile() -> None:
    async with provider_client(access_token_lifetime=77) as provider:
        tokens = await provider.log_in("alice")
        token = await provider.verified(tokens["access_token"])
        assert token.header["typ"] == "at+jwt"
        assert {name: token.claims[name] for name in ("iss", "aud", "sub", "client_id")} == {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "user-alice",
            "client_id": CLIENT_ID,
        }
        assert token.claims["exp"] - token.claims["iat"] == 77 == tokens["expires_in"]
        assert token.claims["jti"]
        assert token.claims["scope"] == tokens["scope"]


async def test_id_tokens_carry_nonce_sid_auth_time_at_hash_and_the_claims_of_the_scope() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        token = await provider.verified(tokens["id_token"])
        digest = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
        assert token.claims["at_hash"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert (token.claims["nonce"], token.claims["aud"]) == ("some-nonce", CLIENT_ID)
        assert (token.claims["name"], token.claims["email"]) == ("Alice Archer", "alice@example.com")
        assert token.claims["auth_time"] == provider.clock.now
        assert token.claims["sid"]


async def test_a_user_gets_no_scope_beyond_his_permissions() -> None:
    async with provider_client() as provider:
        assert "approve:timesheets" in (await provider.log_in("alice"))["scope"].split()
        provider.browser.cookies.clear()
        bob = (await provider.log_in("bob"))["scope"].split()
        assert "read:timesheets" in bob
        assert "approve:timesheets" not in bob


async def test_a_wrong_verifier_a_foreign_redirect_uri_and_a_late_code_are_refused() -> None:
    async with provider_client() as provider:
        code = await provider.code("alice")
        assert (await provider.redeem(code, code_verifier="w" * 43)).json()["error"] == "invalid_grant"
        assert (await provider.redeem(code, redirect_uri="http://x/")).json()["error"] == "invalid_grant"
        provider.clock.now += 61
        assert (await provider.redeem(code)).json()["error"] == "invalid_grant"


async def test_a_code_used_twice_ends_all_that_came_of_it() -> None:
    async with provider_client() as provider:
        code = await provider.code("alice")
        tokens = (await provider.redeem(code)).json()
        assert (await provider.redeem(code)).json()["error"] == "invalid_grant"
        assert (await provider.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_every_refresh_rotates_the_refresh_token_and_keeps_the_identity() -> None:
    async with provider_client() as provider:
        first = await provider.log_in("alice")
        second = (await provider.refresh(first["refresh_token"])).json()
        third = (await provider.refresh(second["refresh_token"])).json()
        assert len({tokens["refresh_token"] for tokens in (first, second, third)}) == 3
        before, after = [await provider.verified(tokens["id_token"]) for tokens in (first, third)]
        for name in ("iss", "sub", "sid", "auth_time", "aud"):
            assert before.claims[name] == after.claims[name]


async def test_a_rotated_refresh_token_used_again_ends_the_whole_family() -> None:
    async with provider_client() as provider:
        first = await provider.log_in("alice")
        second = (await provider.refresh(first["refresh_token"])).json()
        assert (await provider.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
        assert (await provider.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_reuse_leaves_other_families_alone() -> None:
    async with provider_client() as provider:
        first, other = await provider.log_in("alice"), await provider.log_in("alice")
        await provider.refresh(first["refresh_token"])
        await provider.refresh(first["refresh_token"])
        assert (await provider.refresh(other["refresh_token"])).status_code == 200


async def test_a_refresh_may_narrow_the_scope_but_not_widen_it() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("bob")
        wider = await provider.refresh(tokens["refresh_token"], scope="read:timesheets approve:timesheets")
        assert wider.json()["error"] == "invalid_scope"
        narrower = await provider.refresh(tokens["refresh_token"], scope="read:timesheets")
        assert narrower.json()["scope"] == "read:timesheets"


async def test_no_refresh_token_without_offline_access() -> None:
    async with provider_client() as provider:
        assert "refresh_token" not in await provider.log_in("alice", scope="openid read:timesheets")


async def test_in_keep_mode_a_refresh_brings_no_new_refresh_token_and_the_old_one_lives() -> None:
    async with provider_client(refresh_mode="keep") as provider:
        token = (await provider.log_in("alice"))["refresh_token"]
        assert "refresh_token" not in (await provider.refresh(token)).json()
        assert (await provider.refresh(token)).status_code == 200


async def test_another_resource_can_be_asked_for_with_a_refresh() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        other = await provider.refresh(tokens["refresh_token"], resource="https://other.example/api")
        assert (await provider.verified(other.json()["access_token"])).claims["aud"] == "https://other.example/api"
        unknown = await provider.refresh(other.json()["refresh_token"], resource="https://unknown.example/")
        assert unknown.json()["error"] == "invalid_target"


async def test_basic_credentials_are_form_encoded() -> None:
    async with provider_client() as provider:
        form = {"grant_type": "client_credentials"}
        encoded = base64.b64encode(f"{CLIENT_ID}:{quote_plus(SECRET)}".encode()).decode()
        answer = await provider.http.post("/token", data=form, headers={"Authorization": f"Basic {encoded}"})
        assert answer.status_code == 200
        raw = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
        answer = await provider.http.post("/token", data=form, headers={"Authorization": f"Basic {raw}"})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    "form",
    [
        {"client_id": CLIENT_ID, "client_secret": "wrong"},
        {"client_id": "unknown", "client_secret": ""},
        {"client_id": CLIENT_ID},
        {},
    ],
)
async def test_a_client_that_does_not_prove_itself_is_refused(form: dict[str, str]) -> None:
    async with provider_client() as provider:
        answer = await provider.http.post("/token", data={"grant_type": "client_credentials", **form})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_client_assertion_works_once() -> None:
    key = RSAKey.generate_key(2048, {"kid": "client-key"})
    async with provider_client(jwks=KeySet([key]).as_dict(private=False)) as provider:
        now = int(provider.clock.now)
        claims = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": "one"}
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": jwt.encode({"alg": "RS256", "kid": "client-key"}, claims, key),
        }
        assert (await provider.http.post("/token", data=form)).status_code == 200
        assert (await provider.http.post("/token", data=form)).json()["error"] == "invalid_client"


@pytest.mark.parametrize("change", [{"aud": "https://other.example"}, {"exp": 1}, {"sub": "other"}, {"jti": None}])
async def test_a_faulty_client_assertion_is_refused(change: dict[str, object]) -> None:
    key = RSAKey.generate_key(2048, {"kid": "client-key"})
    async with provider_client(jwks=KeySet([key]).as_dict(private=False)) as provider:
        now = int(provider.clock.now)
        claims = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": "one"}
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": jwt.encode({"alg": "RS256", "kid": "client-key"}, claims | change, key),
        }
        assert (await provider.http.post("/token", data=form)).json()["error"] == "invalid_client"


async def test_two_ways_of_client_authentication_at_once_are_refused() -> None:
    async with provider_client() as provider:
        encoded = base64.b64encode(f"{CLIENT_ID}:{quote_plus(SECRET)}".encode()).decode()
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": SECRET}
        answer = await provider.http.post("/token", data=form, headers={"Authorization": f"Basic {encoded}"})
        assert answer.json()["error"] == "invalid_request"


async def test_what_is_no_known_grant_is_refused() -> None:
    async with provider_client() as provider:
        assert await error_of(provider, grant_type="password") == "unsupported_grant_type"
        assert await error_of(provider, grant_type="refresh_token") == "invalid_request"
        assert await error_of(provider, grant_type="refresh_token", refresh_token="unknown") == "invalid_grant"


async def test_a_revoked_refresh_token_is_dead_and_an_unknown_one_no_error() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        form = {"client_id": CLIENT_ID, "client_secret": SECRET}
        for token in (tokens["refresh_token"], tokens["refresh_token"], "unknown"):
            assert (await provider.http.post("/revoke", data={"token": token, **form})).status_code == 200
        assert (await provider.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
        assert (await provider.http.post("/revoke", data={"token": "unknown"})).status_code == 401


async def test_userinfo_answers_for_a_living_token_only() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert (await provider.http.get("/userinfo", headers=headers)).json()["email"] == "alice@example.com"
        assert (await provider.http.get("/userinfo")).headers["www-authenticate"] == "Bearer"
        form = {"client_id": CLIENT_ID, "client_secret": SECRET, "token": tokens["access_token"]}
        await provider.http.post("/revoke", data=form)
        assert (await provider.http.get("/userinfo", headers=headers)).status_code == 401


async def test_userinfo_refuses_an_expired_token_and_an_id_token() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        answer = await provider.http.get("/userinfo", headers={"Authorization": f"Bearer {tokens['id_token']}"})
        assert answer.status_code == 401
        provider.clock.now += 301
        answer = await provider.http.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
        assert answer.status_code == 401


async def test_the_metadata_name_the_issuer_and_only_what_is_there() -> None:
    async with provider_client() as provider:
        metadata = (await provider.http.get("/.well-known/openid-configuration")).json()
        assert metadata["issuer"] == ISSUER
        assert metadata["authorization_response_iss_parameter_supported"] is True
        for name, value in metadata.items():
            if name.endswith(("_endpoint", "_uri")):
                answer = await provider.http.get(value)
                assert answer.status_code != 404, name


async def test_without_test_controls_there_are_none() -> None:
    async with provider_client() as provider:
        assert (await provider.http.post("/test/control", json={})).status_code == 404
        assert (await provider.http.get("/test/log")).status_code == 404
        assert (await provider.http.get("/test/secrets")).status_code == 404


async def test_an_issuer_with_a_path_has_all_its_endpoints_below_it() -> None:
    issuer = f"{ISSUER}/realms/demo"
    transport = httpx2.ASGITransport(create_provider(issuer, [Client(CLIENT_ID)]))
    async with httpx2.AsyncClient(transport=transport) as client:
        metadata = (await client.get(f"{issuer}/.well-known/openid-configuration")).json()
        assert metadata["issuer"] == issuer
        for name in ("jwks_uri", "authorization_endpoint", "token_endpoint", "end_session_endpoint"):
            assert metadata[name].startswith(f"{issuer}/")
            assert (await client.get(metadata[name])).status_code != 404
