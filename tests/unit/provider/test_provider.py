"""The provider as the gateway sees it: logins, refreshes, logout tokens, and all the ways a provider can be wrong."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from bff.errors import (
    BadRequest,
    ClientRefused,
    GrantRefused,
    InvalidProviderAnswer,
    LoginFailed,
    ProviderUnavailable,
)
from bff.oauth.authorization import Transaction, ValidatedCode, parse_response, validate_authorization_response
from bff.provider import Login, Provider
from bff.provider.remote_document import RELOAD_WINDOW
from bff.provider.transport import PROVIDER_TIMEOUT
from bff.session.record import AccessToken, SessionRecord
from tests.support.provider_double import ProviderDouble, answer
from tests.support.provider_settings import PUBLIC_URL, provider_settings
from tests.support.signed_tokens import (
    CLIENT_ID,
    ISSUER,
    NONCE,
    key_for,
    key_set,
    logout_token_claims,
    public_jwk,
    rsa_key,
    sign,
)
from tests.support.virtual_time import EPOCH, clock, virtual_time

DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


@pytest.fixture
def double() -> ProviderDouble:
    return ProviderDouble(clock=clock)


def provider_of(double: ProviderDouble, **variables: str) -> Provider:
    return Provider(provider_settings(**variables), double.transport, clock=clock, random_bytes=secrets.token_bytes)


def transaction(**changes: Any) -> Transaction:
    members: dict[str, Any] = {
        "state": "state-1",
        "nonce": NONCE,
        "code_verifier": "verifier-of-at-least-43-characters-0123456789",
        "return_to": "/",
        "issuer": ISSUER,
        "started_at": EPOCH,
        **changes,
    }
    return Transaction(**members)


async def code_of(provider: Provider) -> ValidatedCode:
    answer = parse_response("code=code-1&state=state-1")
    return validate_authorization_response(answer, transaction=transaction(), metadata=await provider.metadata())


async def login(provider: Provider, **changes: Any) -> Login:
    return await provider.redeem(await code_of(provider), transaction(**changes))


def record(refresh_token: str | None = "refresh-1", **changes: Any) -> SessionRecord:
    members: dict[str, Any] = {
        "issuer": ISSUER,
        "client_id": CLIENT_ID,
        "subject": "user-1",
        "sid": None,
        "claims": {"sub": "user-1", "name": "Old"},
        "id_token": "id-token-1",
        "refresh_token": refresh_token,
        "access_token": AccessToken("access-0", EPOCH + 300, ("openid",)),
        "created_at": EPOCH,
        "expires_at": EPOCH + 28800,
        "issued_at": EPOCH,
        **changes,
    }
    return SessionRecord(**members)


# --- metadata, keys, readiness ---


async def test_it_is_not_ready_before_metadata_and_keys_are_there_and_ready_for_good_then(
    double: ProviderDouble,
) -> None:
    double.overrides[DISCOVERY] = lambda request: httpx2.Response(503)
    provider = provider_of(double)
    assert provider.not_ready == "metadata.not_fetched"
    provider.start()
    await asyncio.sleep(3)
    assert provider.not_ready == "metadata.status"
    del double.overrides[DISCOVERY]
    double.overrides["/jwks"] = lambda request: httpx2.Response(500)
    await asyncio.sleep(30)
    assert provider.not_ready == "keys.status"
    del double.overrides["/jwks"]
    await asyncio.sleep(60)
    assert provider.not_ready is None
    double.overrides[DISCOVERY] = double.overrides["/jwks"] = lambda request: httpx2.Response(503)
    await asyncio.sleep(7200)
    await provider.metadata()
    await asyncio.sleep(60)
    assert provider.not_ready is None
    await provider.close()


async def test_the_attempts_to_reach_a_provider_that_is_away_are_bounded(double: ProviderDouble) -> None:
    double.overrides[DISCOVERY] = lambda request: httpx2.Response(503)
    provider = provider_of(double)
    provider.start()
    await asyncio.sleep(600)
    assert 15 <= double.calls[DISCOVERY] <= 30
    await provider.close()


async def test_metadata_of_another_issuer_is_refused(double: ProviderDouble) -> None:
    double.metadata["issuer"] = ISSUER + "/"
    with pytest.raises(InvalidProviderAnswer) as caught:
        await provider_of(double).login_url(transaction(), {})
    assert caught.value.reason == "metadata.issuer"
    assert set(double.calls) == {DISCOVERY}


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (httpx2.Response(200, text="<html>"), "metadata.content_type"),
        (httpx2.Response(200, content=b"{", headers={"Content-Type": "application/json"}), "metadata.malformed"),
        (httpx2.Response(302, headers={"Location": "https://evil.example"}), "metadata.status"),
        (httpx2.Response(404), "metadata.status"),
    ],
)
async def test_an_answer_that_is_not_metadata_is_told_from_one_that_is(
    double: ProviderDouble, response: httpx2.Response, reason: str
) -> None:
    double.overrides[DISCOVERY] = lambda request: response
    with pytest.raises((InvalidProviderAnswer, ProviderUnavailable)) as caught:
        await provider_of(double).metadata()
    assert caught.value.reason == reason


async def test_plain_oauth_finds_metadata_at_either_address_and_needs_no_keys(double: ProviderDouble) -> None:
    double.metadata["jwks_uri"] = ...
    provider = provider_of(double, scopes="read:timesheets")
    provider.start()
    await asyncio.sleep(1)
    assert (await provider.metadata()).jwks_uri is None
    assert double.calls["/.well-known/oauth-authorization-server"] == 1
    assert provider.not_ready is None
    with pytest.raises(InvalidProviderAnswer, match=r"metadata\.jwks_uri"):
        await provider.keys()
    await provider.close()


async def test_a_hundred_logins_at_once_fetch_metadata_once(double: ProviderDouble) -> None:
    provider = provider_of(double)
    await asyncio.gather(*(provider.login_url(transaction(), {}) for _ in range(100)))
    assert double.calls[DISCOVERY] == 1


# --- the authorization request ---


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def test_the_login_url_carries_code_flow_pkce_state_and_nonce(double: ProviderDouble) -> None:
    url = await provider_of(double, audience="api", resource="https://api.example.com").login_url(
        transaction(), {"login_hint": "ada"}
    )
    assert url.startswith(f"{ISSUER}/authorize?")
    query = query_of(url)
    assert query["redirect_uri"] == f"{PUBLIC_URL}/bff/callback"
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert (query["state"], query["nonce"], query["login_hint"]) == ("state-1", NONCE, "ada")
    assert (query["audience"], query["resource"]) == ("api", "https://api.example.com")
    assert query["scope"] == "openid profile email offline_access"


async def test_a_protected_parameter_cannot_be_passed_on(double: ProviderDouble) -> None:
    with pytest.raises(BadRequest):
        await provider_of(double).login_url(transaction(), {"redirect_uri": "https://evil.example"})


async def test_a_pushed_request_leaves_only_its_reference_in_the_url(double: ProviderDouble) -> None:
    double.metadata["pushed_authorization_request_endpoint"] = f"{ISSUER}/par"
    url = await provider_of(double).login_url(transaction(), {"login_hint": "ada"})
    assert query_of(url) == {"client_id": CLIENT_ID, "request_uri": "urn:example:pushed"}
    (form,) = double.forms("/par")
    assert form["login_hint"] == "ada"
    assert form["code_challenge_method"] == "S256"
    assert "request_uri" not in form
    assert double.requests[-1].headers["authorization"].startswith("Basic ")


async def test_each_login_pushes_its_own_request(double: ProviderDouble) -> None:
    double.metadata["pushed_authorization_request_endpoint"] = f"{ISSUER}/par"
    provider = provider_of(double)
    await provider.login_url(transaction(), {})
    await provider.login_url(transaction(), {})
    assert double.calls["/par"] == 2


async def test_with_par_off_nothing_is_pushed(double: ProviderDouble) -> None:
    double.metadata["pushed_authorization_request_endpoint"] = f"{ISSUER}/par"
    url = await provider_of(double, par="off").login_url(transaction(), {})
    assert "request_uri" not in query_of(url)
    assert double.calls["/par"] == 0


@pytest.mark.parametrize(
    ("variables", "metadata", "variable"),
    [
        (
            {"par": "off"},
            {
                "require_pushed_authorization_requests": True,
                "pushed_authorization_request_endpoint": f"{ISSUER}/par",
            },
            "BFF_PAR",
        ),
        ({"par": "require"}, {}, "BFF_PAR"),
        ({}, {"require_pushed_authorization_requests": True}, "BFF_PAR"),
        ({"userinfo": "on"}, {"userinfo_endpoint": ...}, "BFF_USERINFO"),
        ({"userinfo": "on", "scopes": "read:timesheets"}, {}, "BFF_USERINFO"),
    ],
)
async def test_a_configuration_the_provider_cannot_serve_is_not_ready_and_names_its_variable(
    double: ProviderDouble, variables: dict[str, str], metadata: dict[str, Any], variable: str
) -> None:
    double.metadata |= metadata
    provider = provider_of(double, **variables)
    with pytest.raises(ClientRefused):
        await provider.login_url(transaction(), {})
    assert provider.not_ready is not None
    assert variable in provider.not_ready


# --- the code ---


async def test_a_code_is_redeemed_with_client_authentication_verifier_and_redirect_uri(
    double: ProviderDouble,
) -> None:
    await login(provider_of(double, resource="https://api.example.com"))
    (form,) = double.forms("/token")
    assert form == {
        "grant_type": "authorization_code",
        "code": "code-1",
        "code_verifier": "verifier-of-at-least-43-characters-0123456789",
        "redirect_uri": f"{PUBLIC_URL}/bff/callback",
        "resource": "https://api.example.com",
    }
    credentials = base64.b64encode(f"{CLIENT_ID}:client-secret-of-the-tests".encode()).decode()
    request = next(r for r in double.requests if r.url.path == "/token")
    assert request.headers["authorization"] == f"Basic {credentials}"


async def test_a_client_with_a_key_signs_an_assertion_for_the_issuer(double: ProviderDouble) -> None:
    key = json.dumps(rsa_key(7).as_dict(private=True))
    await login(provider_of(double, client_auth="private_key_jwt", client_key=key, client_secret=""))
    (form,) = double.forms("/token")
    payload = form["client_assertion"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert claims["aud"] == ISSUER
    assert claims["iss"] == claims["sub"] == CLIENT_ID


async def test_a_login_is_what_the_id_token_and_userinfo_say(double: ProviderDouble) -> None:
    double.id_token_changes = {"sid": "session-1", "auth_time": int(EPOCH) - 5}
    double.userinfo = {"sub": "user-1", "name": "Ada", "iss": "https://other.example"}
    result = await login(provider_of(double))
    assert result.issuer == ISSUER
    assert result.subject == "user-1"
    assert result.id_token is not None
    assert result.id_token.sid == "session-1"
    assert result.claims == {"sub": "user-1", "name": "Ada", "auth_time": int(EPOCH) - 5}
    assert result.scope == ("openid", "profile", "email", "offline_access")


async def test_the_granted_scope_counts_where_the_provider_tells_it(double: ProviderDouble) -> None:
    double.token_changes = {"scope": "openid"}
    assert (await login(provider_of(double))).scope == ("openid",)


async def test_without_an_id_token_there_is_no_login_and_the_tokens_are_given_back(double: ProviderDouble) -> None:
    double.with_id_token = False
    provider = provider_of(double)
    with pytest.raises(LoginFailed) as caught:
        await login(provider)
    assert caught.value.reason == "id_token.missing"
    await provider.close()
    assert double.revoked == ["refresh-family-2", "access-1"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://other.example"}, "id_token.issuer"),
        ({"aud": "other"}, "id_token.audience"),
        ({"sub": ...}, "id_token.sub"),
        ({"iat": ...}, "id_token.iat"),
        ({"exp": int(EPOCH) - 300}, "id_token.expired"),
        ({"nonce": "other"}, "id_token.nonce"),
        ({"nonce": ...}, "id_token.nonce"),
        ({"at_hash": "wrong"}, "id_token.at_hash"),
    ],
)
async def test_an_id_token_that_is_wrong_is_no_login(
    double: ProviderDouble, changes: dict[str, Any], reason: str
) -> None:
    double.token_changes = {"id_token": double.id_token(**{"nonce": NONCE, **changes})}
    with pytest.raises(LoginFailed) as caught:
        await login(provider_of(double))
    assert caught.value.reason == reason


async def test_max_age_is_checked_where_it_was_asked(double: ProviderDouble) -> None:
    double.id_token_changes = {"auth_time": int(EPOCH) - 3600}
    await login(provider_of(double))
    with pytest.raises(LoginFailed) as caught:
        await login(provider_of(double), max_age=60)
    assert caught.value.reason == "id_token.auth_time"


async def test_a_refused_code_is_a_failed_login(double: ProviderDouble) -> None:
    double.overrides["/token"] = lambda request: answer(400, error="invalid_grant")
    with pytest.raises(LoginFailed):
        await login(provider_of(double))


async def test_a_refused_client_is_the_operators_fault(double: ProviderDouble) -> None:
    double.overrides["/token"] = lambda request: answer(401, error="invalid_client")
    with pytest.raises(ClientRefused):
        await login(provider_of(double))


async def test_a_code_is_not_spent_while_the_keys_cannot_be_had(double: ProviderDouble) -> None:
    double.overrides["/jwks"] = lambda request: httpx2.Response(503)
    with pytest.raises(ProviderUnavailable):
        await login(provider_of(double))
    assert double.calls["/token"] == 0


async def test_plain_oauth_neither_needs_nor_believes_an_id_token(double: ProviderDouble) -> None:
    double.token_changes = {"id_token": "not.an.id-token"}
    result = await login(provider_of(double, scopes="read:timesheets"))
    assert (result.id_token, result.subject, result.claims) == (None, "", {})
    assert double.calls["/userinfo"] == 0


# --- UserInfo ---


@pytest.mark.parametrize(
    ("mode", "in_id_token", "asked"),
    [
        ("auto", {}, 1),
        ("auto", {"name": "Ada"}, 0),
        ("on", {"name": "Ada"}, 1),
        ("off", {}, 0),
    ],
)
async def test_userinfo_is_asked_by_the_rule_of_the_setting(
    double: ProviderDouble, mode: str, in_id_token: dict[str, Any], asked: int
) -> None:
    double.id_token_changes = in_id_token
    await login(provider_of(double, userinfo=mode))
    assert double.calls["/userinfo"] == asked
    tokens = [r.headers["authorization"] for r in double.requests if r.url.path == "/userinfo"]
    assert tokens == ["Bearer access-1"] * asked


async def test_the_id_tokens_claims_win_over_userinfo(double: ProviderDouble) -> None:
    double.id_token_changes = {"name": "Ada"}
    double.userinfo = {"sub": "user-1", "name": "Mallory", "email": "ada@example.com"}
    claims = (await login(provider_of(double, userinfo="on"))).claims
    assert claims == {"sub": "user-1", "name": "Ada", "email": "ada@example.com"}


async def test_userinfo_without_an_endpoint_is_not_asked(double: ProviderDouble) -> None:
    double.metadata["userinfo_endpoint"] = ...
    assert (await login(provider_of(double))).claims == {"sub": "user-1"}


async def test_userinfo_that_went_away_though_it_must_be_asked_is_the_operators_fault(
    double: ProviderDouble,
) -> None:
    double.metadata["userinfo_endpoint"] = ...
    with pytest.raises(ClientRefused):
        await login(provider_of(double, userinfo="on"))


@pytest.mark.parametrize("mode", ["auto", "on"])
async def test_userinfo_about_somebody_else_is_no_login(double: ProviderDouble, mode: str) -> None:
    double.userinfo = {"sub": "user-2", "name": "Mallory"}
    with pytest.raises(LoginFailed) as caught:
        await login(provider_of(double, userinfo=mode))
    assert caught.value.reason == "userinfo.subject"


async def test_userinfo_that_fails_stops_a_login_only_if_it_must_be_asked(
    double: ProviderDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.overrides["/userinfo"] = lambda request: httpx2.Response(401)
    assert (await login(provider_of(double))).claims == {"sub": "user-1"}
    assert "userinfo.failed" in caplog.text
    with pytest.raises(InvalidProviderAnswer):
        await login(provider_of(double, userinfo="on"))


# --- keys that change ---


async def test_a_key_rotated_after_the_keys_were_fetched_is_picked_up(double: ProviderDouble) -> None:
    provider = provider_of(double)
    await login(provider)
    double.rotate_key(2)
    await login(provider)
    assert double.calls["/jwks"] == 2


async def test_a_key_rotated_under_the_same_identifier_is_picked_up(double: ProviderDouble) -> None:
    provider = provider_of(double)
    await login(provider)
    double.rotate_key(2, kid="key-1")
    await login(provider)
    assert double.calls["/jwks"] == 2


async def test_two_rotations_within_a_moment_make_the_second_login_wait_but_not_fail(
    double: ProviderDouble,
) -> None:
    provider = provider_of(double)
    await login(provider)
    double.rotate_key(2)
    await login(provider)
    double.rotate_key(3)
    await login(provider)
    assert double.calls["/jwks"] == 3
    assert clock() - EPOCH >= RELOAD_WINDOW


async def test_a_key_that_was_withdrawn_does_not_verify_any_more(double: ProviderDouble) -> None:
    provider = provider_of(double)
    await login(provider)
    stolen = double.id_token(nonce=NONCE)
    double.rotate_key(2)
    await login(provider)
    double.token_changes = {"id_token": stolen}
    with pytest.raises(LoginFailed):
        await login(provider)


async def test_a_thousand_logout_tokens_with_made_up_keys_cause_one_fetch(double: ProviderDouble) -> None:
    provider = provider_of(double)
    await provider.keys()
    forged = [sign(logout_token_claims(), kid=f"made-up-{number}", typ="logout+jwt") for number in range(1000)]
    double.jwks = key_set(public_jwk(rsa_key(1), kid="other"))
    outcomes = await asyncio.gather(*(provider.logout_token(token) for token in forged), return_exceptions=True)
    assert {type(outcome).__name__ for outcome in outcomes} == {"UnknownKey"}
    assert double.calls["/jwks"] == 2
    assert clock() - EPOCH < 1


async def test_a_forged_signature_is_refused_after_one_look_at_the_keys(double: ProviderDouble) -> None:
    provider = provider_of(double)
    await provider.keys()
    forged = sign(logout_token_claims(), key=rsa_key(5), kid="key-1", typ="logout+jwt")
    for _ in range(10):
        with pytest.raises(LoginFailed) as caught:
            await provider.logout_token(forged)
        assert caught.value.reason == "logout_token.signature"
    assert double.calls["/jwks"] == 2


async def test_a_logout_token_is_read(double: ProviderDouble) -> None:
    claims = logout_token_claims(iat=int(EPOCH), exp=int(EPOCH) + 60)
    order = await provider_of(double).logout_token(sign(claims, kid="key-1", typ="logout+jwt"))
    assert (order.subject, order.sid, order.token_id) == ("user-1", "session-1", "logout-1")


async def test_a_logout_token_must_be_signed_as_the_id_tokens_are(double: ProviderDouble) -> None:
    double.metadata["id_token_signing_alg_values_supported"] = ["RS256", "ES256"]
    double.jwks = key_set(public_jwk(rsa_key(), kid="key-1"), public_jwk(key_for("ES256"), kid="key-2"))
    claims = logout_token_claims(iat=int(EPOCH), exp=int(EPOCH) + 60)
    as_id_tokens, otherwise = (
        sign(claims, algorithm=algorithm, kid=kid, typ="logout+jwt")
        for algorithm, kid in (("ES256", "key-2"), ("RS256", "key-1"))
    )
    double.signing_algorithm, double.signing_key, double.kid = "ES256", key_for("ES256"), "key-2"
    for learn in (login, lambda provider: provider.refresh(record(double.issue()))):
        provider = provider_of(double)
        await provider.logout_token(otherwise)
        await learn(provider)
        with pytest.raises(LoginFailed) as caught:
            await provider.logout_token(otherwise)
        assert caught.value.reason == "logout_token.algorithm"
        await provider.logout_token(as_id_tokens)


async def test_a_configured_algorithm_is_the_only_one_for_id_tokens_and_logout_tokens(double: ProviderDouble) -> None:
    double.metadata["id_token_signing_alg_values_supported"] = ["RS256", "ES256"]
    double.jwks = key_set(public_jwk(rsa_key(), kid="key-1"), public_jwk(key_for("ES256"), kid="key-2"))
    provider = provider_of(double, id_token_alg="ES256")
    claims = logout_token_claims(iat=int(EPOCH), exp=int(EPOCH) + 60)
    await provider.logout_token(sign(claims, algorithm="ES256", kid="key-2", typ="logout+jwt"))
    with pytest.raises(LoginFailed) as caught:
        await provider.logout_token(sign(claims, kid="key-1", typ="logout+jwt"))
    assert caught.value.reason == "logout_token.algorithm"
    with pytest.raises(LoginFailed) as caught:
        await login(provider)
    assert caught.value.reason == "id_token.algorithm"
    assert (await provider.refresh(record(double.issue()))).refusal == "id_token.algorithm"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "if this client is registered for another algorithm, name it in BFF_ID_TOKEN_ALG"),
        ({"id_token_alg": "PS256"}, "not signed with the algorithm that BFF_ID_TOKEN_ALG names"),
    ],
)
async def test_a_refusal_that_the_setting_may_mend_names_it_in_the_log(
    double: ProviderDouble, caplog: pytest.LogCaptureFixture, variables: dict[str, str], said: str
) -> None:
    double.metadata["id_token_signing_alg_values_supported"] = ["RS256", "ES256"]
    claims = logout_token_claims(iat=int(EPOCH), exp=int(EPOCH) + 60)
    with pytest.raises(LoginFailed):
        await provider_of(double, **variables).logout_token(
            sign(claims, algorithm="ES256", kid="key-2", typ="logout+jwt")
        )
    (logged,) = [r for r in caplog.records if r.msg == "provider.algorithm"]
    fields = vars(logged)["event_fields"]
    assert (fields["reason"], fields["variable"]) == ("logout_token.algorithm", "BFF_ID_TOKEN_ALG")
    assert said in fields["explanation"]


async def test_a_wrong_logout_token_is_refused_without_a_look_at_the_keys(double: ProviderDouble) -> None:
    provider = provider_of(double)
    await provider.keys()
    with pytest.raises(LoginFailed):
        await provider.logout_token(sign(logout_token_claims(aud="other"), kid="key-1", typ="logout+jwt"))
    assert double.calls["/jwks"] == 1


# --- a login without a refresh token ---


@pytest.mark.parametrize(
    ("scopes", "refresh_token", "is_said"),
    [
        ("openid offline_access", None, True),
        ("openid offline_access", "refresh-1", False),
        ("openid", None, False),
    ],
)
async def test_that_a_refresh_token_was_asked_for_and_did_not_come_is_said(
    double: ProviderDouble, caplog: pytest.LogCaptureFixture, scopes: str, refresh_token: str | None, is_said: bool
) -> None:
    double.token_changes = {"refresh_token": refresh_token}
    await login(provider_of(double, scopes=scopes))
    logged = [vars(r)["event_fields"]["variable"] for r in caplog.records if r.msg == "login.no_refresh_token"]
    assert logged == (["BFF_SCOPES"] if is_said else [])


# --- the refresh ---


async def test_a_refresh_sends_the_token_and_no_scope(double: ProviderDouble) -> None:
    token = double.issue()
    refreshed = await provider_of(double, resource="https://api.example.com").refresh(record(token))
    (form,) = double.forms("/token")
    assert form == {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "resource": "https://api.example.com",
    }
    assert refreshed.refusal is None
    assert refreshed.received_at == EPOCH
    assert refreshed.claims == {"sub": "user-1"}


async def test_a_refresh_may_come_without_an_id_token(double: ProviderDouble) -> None:
    double.with_id_token = False
    refreshed = await provider_of(double).refresh(record(double.issue()))
    assert (refreshed.id_token, refreshed.claims, refreshed.refusal) == (None, {}, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sub": "user-2"}, "id_token.subject_changed"),
        ({"iss": "https://other.example"}, "id_token.issuer"),
        ({"aud": "other"}, "id_token.audience"),
        ({"exp": int(EPOCH) - 300}, "id_token.expired"),
    ],
)
async def test_a_refreshed_id_token_that_is_wrong_is_told(
    double: ProviderDouble, changes: dict[str, Any], reason: str
) -> None:
    double.id_token_changes = changes
    refreshed = await provider_of(double).refresh(record(double.issue()))
    assert refreshed.refusal == reason
    assert (refreshed.id_token, refreshed.claims) == (None, {})


async def test_a_refreshed_id_token_whose_keys_cannot_be_had_is_told_too(double: ProviderDouble) -> None:
    provider = provider_of(double)
    await provider.keys()
    double.rotate_key(2)
    double.overrides["/jwks"] = lambda request: httpx2.Response(503)
    assert (await provider.refresh(record(double.issue()))).refusal == "keys.status"


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (answer(400, error="invalid_grant"), GrantRefused),
        (answer(401, error="invalid_client"), ClientRefused),
        (answer(400, error="invalid_scope"), ClientRefused),
        (answer(503, error="invalid_grant"), ProviderUnavailable),
        (answer(429), ProviderUnavailable),
        (httpx2.Response(400), InvalidProviderAnswer),
        (httpx2.Response(200, text="<html>"), InvalidProviderAnswer),
        (answer(200), InvalidProviderAnswer),
        (answer(418, error="invented"), InvalidProviderAnswer),
    ],
)
async def test_a_refused_refresh_is_told_by_its_members(
    double: ProviderDouble, response: httpx2.Response, kind: type[Exception]
) -> None:
    double.overrides["/token"] = lambda request: response
    with pytest.raises(kind):
        await provider_of(double).refresh(record())


async def test_a_refresh_token_is_not_spent_while_the_keys_cannot_be_had(double: ProviderDouble) -> None:
    double.overrides["/jwks"] = lambda request: httpx2.Response(503)
    with pytest.raises(ProviderUnavailable):
        await provider_of(double).refresh(record(double.issue()))
    assert double.calls["/token"] == 0


async def test_a_provider_that_does_not_answer_is_given_up_after_the_timeout(double: ProviderDouble) -> None:
    provider = provider_of(double)
    await provider.keys()
    double.delay = 3600
    before = clock()
    with pytest.raises(ProviderUnavailable) as caught:
        await provider.refresh(record(double.issue()))
    assert caught.value.reason == "provider.timeout"
    assert clock() - before == pytest.approx(PROVIDER_TIMEOUT)


async def test_plain_oauth_ignores_an_id_token_in_a_refresh(double: ProviderDouble) -> None:
    double.token_changes = {"id_token": "not.an.id-token"}
    provider = provider_of(double, scopes="read:timesheets")
    refreshed = await provider.refresh(record(double.issue()))
    assert (refreshed.id_token, refreshed.refusal) == (None, None)
    assert await provider.claims(record(claims={}), None) == {}


async def test_claims_are_read_again_by_the_same_rule_as_at_login(double: ProviderDouble) -> None:
    provider = provider_of(double)
    double.userinfo = {"sub": "user-1", "name": "New"}
    assert await provider.claims(record(), None) == {"sub": "user-1", "name": "New"}
    double.id_token_changes = {"email": "ada@example.com"}
    id_token = (await provider.refresh(record(double.issue()))).id_token
    assert await provider.claims(record(), id_token) == {"sub": "user-1", "email": "ada@example.com"}


async def test_claims_known_from_before_outlive_an_outage_of_userinfo(double: ProviderDouble) -> None:
    provider = provider_of(double)
    id_token = (await provider.refresh(record(double.issue()))).id_token
    double.overrides["/userinfo"] = lambda request: httpx2.Response(503)
    assert await provider.claims(record(), id_token) == {"sub": "user-1", "name": "Old"}
    assert await provider.claims(record(), None) == {"sub": "user-1", "name": "Old"}


async def test_claims_about_somebody_else_are_refused(double: ProviderDouble) -> None:
    double.userinfo = {"sub": "user-2"}
    with pytest.raises(LoginFailed):
        await provider_of(double).claims(record(), None)


# --- revocation and logout ---


async def test_revocation_gives_back_the_refresh_token_before_the_access_token(double: ProviderDouble) -> None:
    provider = provider_of(double)
    provider.revoke_later(refresh_token="refresh-1", access_token="access-1")
    await provider.close()
    assert [(form["token"], form["token_type_hint"]) for form in double.forms("/revoke")] == [
        ("refresh-1", "refresh_token"),
        ("access-1", "access_token"),
    ]


async def test_revoking_nothing_asks_nothing(double: ProviderDouble) -> None:
    provider = provider_of(double)
    provider.revoke_later(refresh_token=None, access_token=None)
    await provider.close()
    assert double.requests == []


async def test_a_revocation_is_tried_again_once_when_the_provider_is_away(double: ProviderDouble) -> None:
    double.overrides["/revoke"] = lambda request: httpx2.Response(503)
    assert not await provider_of(double).revoke("refresh-1", "refresh_token")
    assert double.calls["/revoke"] == 2


async def test_a_refused_revocation_is_not_tried_again(double: ProviderDouble) -> None:
    double.overrides["/revoke"] = lambda request: answer(400, error="unsupported_token_type")
    assert not await provider_of(double).revoke("refresh-1", "refresh_token")
    assert double.calls["/revoke"] == 1


async def test_a_provider_that_revokes_no_signed_access_tokens_is_no_cause_for_a_warning(
    double: ProviderDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.overrides["/revoke"] = lambda request: answer(400, error="unsupported_token_type")
    assert not await provider_of(double).revoke("access-1", "access_token")
    assert caplog.text == ""
    assert not await provider_of(double).revoke("refresh-1", "refresh_token")
    assert "revocation.failed" in caplog.text


async def test_a_provider_without_revocation_is_not_asked(double: ProviderDouble) -> None:
    double.metadata["revocation_endpoint"] = ...
    assert not await provider_of(double).revoke("refresh-1", "refresh_token")
    assert set(double.calls) == {DISCOVERY}


async def test_revocation_raises_nothing_whatever_happens(double: ProviderDouble) -> None:
    double.overrides[DISCOVERY] = lambda request: httpx2.Response(503)
    assert not await provider_of(double).revoke("refresh-1", "refresh_token")


async def test_a_confirmed_revocation_is_told(double: ProviderDouble) -> None:
    assert await provider_of(double).revoke("refresh-1", "refresh_token")


async def test_closing_waits_for_revocations_but_not_for_ever(double: ProviderDouble) -> None:
    provider = provider_of(double)
    await provider.metadata()
    double.delay = 8
    provider.revoke_later(refresh_token="refresh-1", access_token=None)
    await provider.close(within=5)
    assert clock() - EPOCH == pytest.approx(5)
    assert double.revoked == []


async def test_a_flood_of_revocations_is_bounded(double: ProviderDouble, caplog: pytest.LogCaptureFixture) -> None:
    provider = provider_of(double)
    for _ in range(1100):
        provider.revoke_later(refresh_token="refresh-1", access_token=None)
    await provider.close()
    assert len(double.revoked) == 1000
    assert "revocation.dropped" in caplog.text


async def test_the_end_session_url_carries_the_id_token_and_where_to_come_back(double: ProviderDouble) -> None:
    provider = provider_of(double, post_logout_path="/goodbye")
    assert provider.end_session_url("id-token-1", state="out-1") is None
    await provider.metadata()
    url = provider.end_session_url("id-token-1", state="out-1")
    assert url is not None
    assert url.startswith(f"{ISSUER}/logout?")
    parameters = query_of(url)
    assert parameters.pop("state") == "out-1"
    assert parameters == {
        "id_token_hint": "id-token-1",
        "client_id": CLIENT_ID,
        "post_logout_redirect_uri": f"{PUBLIC_URL}/goodbye",
    }


async def test_the_end_session_url_carries_no_token_if_that_is_turned_off(double: ProviderDouble) -> None:
    provider = provider_of(double, id_token_hint="off")
    await provider.metadata()
    assert set(query_of(provider.end_session_url("id-token-1", state="out-1") or "")) == {
        "client_id",
        "post_logout_redirect_uri",
        "state",
    }
