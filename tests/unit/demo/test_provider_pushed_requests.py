"""Pushed authorization requests at the provider (RFC 9126)."""

import pytest

from tests.support.provider_client import (
    CHALLENGE,
    CLIENT_ID,
    REDIRECT_URI,
    SECRET,
    ProviderClient,
    answer_of,
    provider_client,
)

REQUEST = {
    "client_id": CLIENT_ID,
    "redirect_uri": REDIRECT_URI,
    "response_type": "code",
    "scope": "openid",
    "state": "pushed-state",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "login_hint": "alice",
}


async def push(provider: ProviderClient, **changes: str) -> str:
    answer = await provider.http.post("/par", data={**REQUEST, "client_secret": SECRET, **changes})
    assert answer.status_code == 201, answer.text
    assert answer.json()["expires_in"] == 60
    return str(answer.json()["request_uri"])


async def test_a_pushed_request_works_once() -> None:
    async with provider_client(pushed_requests="on", automatic_login="hint") as provider:
        parameters = {"client_id": CLIENT_ID, "request_uri": await push(provider)}
        answer = answer_of(await provider.browser.get("/authorize", params=parameters))
        assert answer["state"] == "pushed-state"
        assert (await provider.redeem(answer["code"])).status_code == 200
        assert (await provider.browser.get("/authorize", params=parameters)).status_code == 400


async def test_a_pushed_request_expires_and_is_of_one_client() -> None:
    async with provider_client(pushed_requests="on", automatic_login="hint") as provider:
        foreign = {"client_id": "other", "request_uri": await push(provider)}
        assert (await provider.browser.get("/authorize", params=foreign)).status_code == 400
        late = {"client_id": CLIENT_ID, "request_uri": await push(provider)}
        provider.clock.now += 61
        assert (await provider.browser.get("/authorize", params=late)).status_code == 400


@pytest.mark.parametrize(
    "changes, status, error",
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"redirect_uri": "https://evil.example/"}, 400, "invalid_request"),
        ({"code_challenge_method": "plain"}, 400, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, 400, "request_uri_not_supported"),
    ],
)
async def test_a_faulty_request_is_refused_when_it_is_pushed(changes: dict[str, str], status: int, error: str) -> None:
    async with provider_client(pushed_requests="on") as provider:
        answer = await provider.http.post("/par", data={**REQUEST, "client_secret": SECRET, **changes})
        assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_when_required_a_request_that_was_not_pushed_is_refused() -> None:
    async with provider_client(pushed_requests="require") as provider:
        assert (await provider.authorize()).status_code == 400
        metadata = (await provider.http.get("/.well-known/openid-configuration")).json()
        assert metadata["require_pushed_authorization_requests"] is True


async def test_when_off_the_metadata_do_not_offer_it() -> None:
    async with provider_client() as provider:
        metadata = (await provider.http.get("/.well-known/openid-configuration")).json()
        assert "pushed_authorization_request_endpoint" not in metadata
