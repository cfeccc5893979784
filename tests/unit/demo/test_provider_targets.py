"""Tokens of the development provider for several APIs: by resource, by exchange, for the client itself."""

from __future__ import annotations

from tests.support.provider_client import AUDIENCE, ProviderClient, answer_of, provider_client

REPORTS = "https://other.example/api"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
CONFIRMED = "urn:example:acr:confirmed"
NAMED = "urn:example:acr:named"


async def exchanged(provider: ProviderClient, subject_token: str, **changes: str) -> tuple[int, dict[str, str]]:
    form = {"subject_token": subject_token, "subject_token_type": ACCESS_TOKEN, "audience": REPORTS, **changes}
    answer = await provider.token(grant_type=EXCHANGE, **form)
    return answer.status_code, answer.json()


async def test_a_refresh_for_a_resource_that_was_named_gets_a_token_for_it() -> None:
    async with provider_client() as provider:
        page = await provider.browser.get(
            "/authorize", params=[*(await parameters(provider)), ("resource", AUDIENCE), ("resource", REPORTS)]
        )
        page = await provider.submit(page, username="alice")
        code = answer_of(await provider.submit(page, allow="1"))["code"]
        tokens = (await provider.redeem(code)).json()
        refreshed = (await provider.refresh(tokens["refresh_token"], resource=REPORTS)).json()
        assert (await provider.verified(refreshed["access_token"])).claims["aud"] == REPORTS


async def test_a_refresh_for_a_resource_that_was_not_named_is_refused() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice", resource=AUDIENCE)
        answer = await provider.refresh(tokens["refresh_token"], resource=REPORTS)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


async def test_an_access_token_is_exchanged_for_one_of_another_api() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        status, answer = await exchanged(provider, tokens["access_token"], scope="read:timesheets")
        assert (status, answer["issued_token_type"]) == (200, ACCESS_TOKEN)
        claims = (await provider.verified(answer["access_token"])).claims
        assert (claims["aud"], claims["sub"], claims["scope"]) == (REPORTS, "user-alice", "read:timesheets")
        assert "refresh_token" not in answer


async def test_what_cannot_be_exchanged_is_refused() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        token = tokens["access_token"]
        refusals = [
            await exchanged(provider, "x"),
            await exchanged(provider, tokens["id_token"]),
            await exchanged(provider, token, subject_token_type="urn:ietf:params:oauth:token-type:jwt"),
            await exchanged(provider, token, audience="https://unknown.example/"),
            await exchanged(provider, token, scope="delete:timesheets"),
        ]
        errors = ["invalid_request", "invalid_request", "invalid_request", "invalid_target", "invalid_scope"]
        assert [(status, answer["error"]) for status, answer in refusals] == [(400, error) for error in errors]
        provider.clock.now += 400
        assert (await exchanged(provider, token))[0] == 400


async def test_a_login_is_confirmed_if_that_is_asked_for_and_only_then() -> None:
    async with provider_client() as provider:
        tokens = await provider.log_in("alice")
        assert (await provider.verified(tokens["id_token"])).claims["acr"] == NAMED
        page = await provider.authorize(acr_values=f"urn:x {CONFIRMED}")
        assert "Is it you?" in page.text
        provider.clock.now += 5
        code = answer_of(await provider.submit(page, confirm="1"))["code"]
        confirmed = (await provider.redeem(code)).json()
        for name in ("id_token", "access_token"):
            claims = (await provider.verified(confirmed[name])).claims
            assert (claims["acr"], claims["auth_time"]) == (CONFIRMED, provider.clock.now)
        assert "code" in answer_of(await provider.authorize(acr_values=CONFIRMED))


async def test_a_confirmation_can_be_declined_and_is_no_silent_matter() -> None:
    async with provider_client() as provider:
        await provider.log_in("alice")
        assert answer_of(await provider.authorize(acr_values=CONFIRMED, prompt="none"))["error"] == "login_required"
        page = await provider.authorize(acr_values=CONFIRMED)
        assert answer_of(await provider.submit(page, cancel="1"))["error"] == "access_denied"


async def test_who_is_logged_in_without_pages_is_confirmed_without_one() -> None:
    async with provider_client(automatic_login="hint") as provider:
        answer = answer_of(await provider.authorize(login_hint="alice", acr_values=CONFIRMED))
        tokens = (await provider.redeem(answer["code"])).json()
        assert (await provider.verified(tokens["id_token"])).claims["acr"] == CONFIRMED


async def parameters(provider: ProviderClient) -> list[tuple[str, str]]:
    """The parameters of an authorization request, as pairs."""
    page = await provider.authorize(prompt="none")
    return [pair for pair in page.request.url.params.multi_items() if pair[0] != "prompt"]
