"""The authorization endpoint: whom it lets in, what it hands out, what it refuses."""

import re

import pytest

from tests.support.provider_client import CHALLENGE, CLIENT_ID, ISSUER, REDIRECT_URI, answer_of, provider_client


async def test_a_login_ends_at_the_client_with_code_state_and_issuer() -> None:
    async with provider_client() as provider:
        page = await provider.submit(await provider.authorize(), username="alice")
        answer = answer_of(await provider.submit(page, allow="1"))
        assert set(answer) == {"code", "state", "iss"}
        assert (answer["state"], answer["iss"]) == ("some-state", ISSUER)


async def test_the_consent_page_lists_the_scopes_in_plain_words() -> None:
    async with provider_client() as provider:
        page = await provider.submit(await provider.authorize(), username="alice")
        assert "Approve other people&#x27;s timesheets for you" in page.text


async def test_consent_is_asked_only_for_scopes_the_user_can_grant() -> None:
    async with provider_client() as provider:
        page = await provider.submit(await provider.authorize(), username="bob")
        assert "create:timesheets" in page.text
        assert "approve:timesheets" not in page.text


async def test_consent_is_not_asked_twice_unless_the_client_wants_it() -> None:
    async with provider_client() as provider:
        await provider.code("alice")
        assert "code" in answer_of(await provider.authorize())
        assert "Allow access?" in (await provider.authorize(prompt="consent")).text


async def test_refused_consent_and_cancelled_login_are_access_denied() -> None:
    async with provider_client() as provider:
        cancelled = await provider.submit(await provider.authorize(), cancel="1")
        assert answer_of(cancelled)["error"] == "access_denied"
        page = await provider.submit(await provider.authorize(), username="alice")
        denied = answer_of(await provider.submit(page, deny="1"))
        assert (denied["error"], denied["state"], denied["iss"]) == ("access_denied", "some-state", ISSUER)


async def test_a_name_nobody_has_leads_back_to_the_login_page() -> None:
    async with provider_client() as provider:
        page = await provider.submit(await provider.authorize(), username="mallory")
        assert "Nobody here has that name." in page.text
        assert page.headers.get("location") is None


@pytest.mark.parametrize(
    "changes, error",
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": CHALLENGE[:-1]}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "unheard-of"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"resource": "https://elsewhere.example/"}, "invalid_target"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_a_faulty_request_goes_back_to_the_client_as(changes: dict[str, str | None], error: str) -> None:
    async with provider_client() as provider:
        answer = answer_of(await provider.authorize(**changes))
        assert (answer["error"], answer["state"], answer["iss"]) == (error, "some-state", ISSUER)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "unknown"},
        {"redirect_uri": None},
        {"redirect_uri": f"{REDIRECT_URI}/"},
        {"redirect_uri": f"{REDIRECT_URI}?x=1"},
        {"redirect_uri": REDIRECT_URI.upper()},
        {"redirect_uri": "https://evil.example/bff/callback"},
    ],
)
async def test_nobody_is_redirected_to_an_address_that_is_not_exactly_registered(
    changes: dict[str, str | None],
) -> None:
    async with provider_client() as provider:
        answer = await provider.authorize(**changes)
        assert answer.status_code == 400
        assert "location" not in answer.headers


async def test_a_repeated_parameter_is_refused() -> None:
    async with provider_client() as provider:
        answer = await provider.browser.get(f"/authorize?client_id={CLIENT_ID}&client_id={CLIENT_ID}")
        assert answer.status_code == 400


async def test_a_form_works_only_in_the_browser_that_was_shown_it() -> None:
    async with provider_client() as victim:
        page = await victim.authorize()
        victim.browser.cookies.clear()
        answer = await victim.submit(page, username="alice")
        assert answer.status_code == 400
        assert "provider_session" not in answer.headers.get("set-cookie", "")


async def test_a_login_form_is_no_consent_form() -> None:
    async with provider_client() as provider:
        page = await provider.authorize()
        page._content = page.content.replace(b"/login", b"/consent")
        assert (await provider.submit(page, allow="1")).status_code == 400


async def test_prompt_login_and_an_exceeded_max_age_ask_again_and_renew_auth_time() -> None:
    async with provider_client() as provider:
        first = await provider.verified((await provider.log_in("alice"))["id_token"])
        provider.clock.now += 100
        assert "Log in" in (await provider.authorize(max_age="99")).text
        assert "code" in answer_of(await provider.authorize(max_age="100"))
        again = await provider.verified((await provider.log_in("alice", prompt="login"))["id_token"])
        assert again.claims["auth_time"] == first.claims["auth_time"] + 100
        assert again.claims["sid"] == first.claims["sid"]


async def test_another_user_in_the_same_browser_gets_another_session() -> None:
    async with provider_client() as provider:
        first = await provider.verified((await provider.log_in("alice"))["id_token"])
        other = await provider.verified((await provider.log_in("bob", prompt="login"))["id_token"])
        assert first.claims["sid"] != other.claims["sid"]
        assert other.claims["sub"] == "user-bob"


async def test_prompt_none_works_with_a_session_and_consent() -> None:
    async with provider_client() as provider:
        await provider.code("alice")
        assert "code" in answer_of(await provider.authorize(prompt="none"))
        wider = answer_of(await provider.authorize(prompt="none", scope="openid delete:timesheets"))
        assert wider["error"] == "consent_required"


async def test_login_hint_fills_the_field_escaped() -> None:
    async with provider_client() as provider:
        page = await provider.authorize(login_hint='"><script>alert(1)</script>')
        assert "<script>" not in page.text
        assert "&quot;&gt;&lt;script&gt;" in page.text


async def test_automatic_login_by_hint_shows_no_page() -> None:
    async with provider_client(automatic_login="hint") as provider:
        assert "code" in answer_of(await provider.authorize(login_hint="carol"))
        tokens = await provider.log_in("", login_hint="bob")
        assert (await provider.verified(tokens["id_token"])).claims["sub"] == "user-bob"


async def test_pages_forbid_frames_scripts_and_foreign_form_targets() -> None:
    async with provider_client() as provider:
        policy = (await provider.authorize()).headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "form-action 'self' http://localhost:8000;" in policy


async def test_the_answer_can_be_posted_by_a_page() -> None:
    async with provider_client(automatic_login="alice") as client:
        page = await client.authorize(response_mode="form_post")
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)">', page.text))
        assert page.status_code == 200
        assert f'action="{REDIRECT_URI}"' in page.text
        assert (fields["state"], fields["iss"]) == ("some-state", ISSUER)
        assert (await client.redeem(fields["code"])).status_code == 200


async def test_a_refusal_can_be_posted_by_a_page() -> None:
    async with provider_client() as client:
        page = await client.authorize(response_mode="form_post", prompt="none")
        assert 'name="error" value="login_required"' in page.text
