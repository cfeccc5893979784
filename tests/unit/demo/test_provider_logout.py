"""RP-initiated and back-channel logout at the provider."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.provider_client import AFTER_LOGOUT, CLIENT_ID, ISSUER, ProviderClient, provider_client

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


async def is_logged_in(provider: ProviderClient) -> bool:
    answer = await provider.authorize(prompt="none")
    return "code" in dict(parse_qsl(urlsplit(answer.headers["location"]).query))


async def test_a_logout_with_the_sessions_own_id_token_asks_nothing_and_returns_with_state() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        parameters = {
            "id_token_hint": tokens["id_token"],
            "post_logout_redirect_uri": AFTER_LOGOUT,
            "state": "logout-state",
        }
        answer = await provider.browser.get("/logout", params=parameters)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{AFTER_LOGOUT}?state=logout-state")
        assert not await is_logged_in(provider)


async def test_an_expired_id_token_is_still_a_good_hint() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        provider.clock.now += 100_000
        answer = await provider.browser.get("/logout", params={"id_token_hint": tokens["id_token"]})
        assert "You are logged out" in answer.text
        assert not await is_logged_in(provider)


async def test_a_logout_without_a_hint_asks_first() -> None:
    async with provider_client() as provider:
        await provider.log_in("alice")
        parameters = {"client_id": CLIENT_ID, "post_logout_redirect_uri": AFTER_LOGOUT}
        page = await provider.browser.get("/logout", params=parameters)
        assert "Log out?" in page.text
        assert await is_logged_in(provider)
        answer = await provider.submit(page)
        assert answer.headers["location"] == AFTER_LOGOUT
        assert not await is_logged_in(provider)


@pytest.mark.parametrize(
    "parameters",
    [
        {"client_id": CLIENT_ID, "post_logout_redirect_uri": "https://evil.example/"},
        {"client_id": CLIENT_ID, "post_logout_redirect_uri": f"{AFTER_LOGOUT}x"},
        {"post_logout_redirect_uri": AFTER_LOGOUT},
        {"id_token_hint": "not.a.token"},
    ],
)
async def test_a_logout_leads_only_to_addresses_registered_by_the_client_that_asks(
    parameters: dict[str, str],
) -> None:
    async with provider_client() as provider:
        answer = await provider.browser.get("/logout", params=parameters)
        assert answer.status_code == 400


async def test_an_access_token_is_no_hint() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        answer = await provider.browser.get("/logout", params={"id_token_hint": tokens["access_token"]})
        assert answer.status_code == 400
        assert await is_logged_in(provider)


async def test_a_logout_sends_the_client_a_logout_token_of_the_right_shape() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        await provider.browser.get("/logout", params={"id_token_hint": tokens["id_token"]})
        [sent] = provider.logout_tokens
        token = await provider.verified(sent)
        identity = await provider.verified(tokens["id_token"])
        assert token.header["typ"] == "logout+jwt"
        assert set(token.claims) == {"iss", "aud", "iat", "exp", "jti", "events", "sub", "sid"}
        assert (token.claims["iss"], token.claims["aud"]) == (ISSUER, CLIENT_ID)
        assert token.claims["events"] == {LOGOUT_EVENT: {}}
        assert (token.claims["sub"], token.claims["sid"]) == (identity.claims["sub"], identity.claims["sid"])


async def test_refresh_tokens_with_offline_access_outlive_a_logout() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        await provider.browser.get("/logout", params={"id_token_hint": tokens["id_token"]})
        assert (await provider.refresh(tokens["refresh_token"])).status_code == 200
