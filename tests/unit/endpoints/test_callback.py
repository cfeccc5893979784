"""Where logins end, in every order and in every way they can go wrong."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx2
import pytest

from tests.support.gateway_browser import SESSION_COOKIE, Browser, Site, running_site
from tests.support.provider_double import answer as provider_answer
from tests.support.signed_tokens import ISSUER


def way_on(text: str) -> str:
    """Return where the page goes on to by itself."""
    match = re.search(r'<meta http-equiv="refresh" content="0; url=([^"]+)">', text)
    assert match is not None, text
    return match[1]


async def test_a_login_ends_where_it_was_to_end_with_a_session(browser: Browser, site: Site) -> None:
    answer = await browser.finish(await browser.begin("?return_to=/timesheets%3Fweek%3D7"))
    assert (answer.status, answer["location"]) == (303, "/timesheets?week=7")
    assert answer["cache-control"] == "no-store"
    assert answer["referrer-policy"] == "no-referrer"
    assert (await browser.session())["authenticated"] is True
    assert browser.login_cookies == []
    assert site.count("logins", "succeeded") == 1
    assert site.gateway.metrics.sessions_started == 1


async def test_the_code_is_redeemed_with_the_verifier_of_its_own_login(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    await browser.finish(request)
    (form,) = site.provider.forms("/token")
    assert form["code"] == request["nonce"]
    assert form["redirect_uri"] == "https://app.example.com/bff/callback"
    assert len(form["code_verifier"]) == 43


async def test_two_tabs_finish_in_either_order_and_the_last_session_replaces_the_first(
    browser: Browser, site: Site
) -> None:
    first, second = await browser.begin("?return_to=/1"), await browser.begin("?return_to=/2")
    assert (await browser.finish(second))["location"] == "/2"
    between = browser.session_cookie
    assert (await browser.finish(first))["location"] == "/1"
    assert browser.session_cookie != between
    assert (await browser.session())["authenticated"] is True
    assert site.session_count() == 1
    assert browser.login_cookies == []


async def test_every_login_gets_a_new_handle_and_ends_the_session_presented_when_it_began(
    browser: Browser, site: Site
) -> None:
    await browser.sign_in()
    before = browser.session_cookie
    request = await browser.begin()
    assert site.session_count() == 1
    assert (await browser.session())["authenticated"] is True, "the old session lasts until the new one is made"
    await browser.finish(request)
    assert browser.session_cookie != before
    assert site.session_count() == 1


async def test_a_session_presented_only_at_the_callback_ends_too(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    other = site.browser()
    await other.sign_in()
    browser.cookies[SESSION_COOKIE] = other.cookies[SESSION_COOKIE]
    await browser.finish(request, site="same-site")
    assert site.session_count() == 1
    assert (await other.session())["authenticated"] is False


@pytest.mark.parametrize("began_with_it", [True, False])
async def test_of_another_users_session_that_a_login_replaces_the_tokens_are_revoked(
    browser: Browser, site: Site, began_with_it: bool
) -> None:
    site.provider.userinfo = {}
    site.provider.overrides["/userinfo"] = lambda _: httpx2.Response(404)
    other = site.browser()
    await other.sign_in()
    old = [*site.provider._live, site.provider.latest_access_token]
    site.provider.id_token_changes = {"sub": "user-2"}
    if began_with_it:
        browser.cookies[SESSION_COOKIE] = other.cookies[SESSION_COOKIE]
    request = await browser.begin()
    browser.cookies[SESSION_COOKIE] = other.cookies[SESSION_COOKIE]
    await browser.finish(request, site="same-site")
    await asyncio.sleep(1)
    assert site.provider.revoked == old
    assert (await browser.session())["claims"]["sub"] == "user-2"
    assert site.count("sessions_ended", "replaced") == 1


async def test_of_the_same_users_session_that_a_login_replaces_no_token_is_revoked(
    browser: Browser, site: Site
) -> None:
    """Many providers revoke by grant or by session of theirs: the new tokens would be dead as well."""
    await browser.sign_in()
    request = await browser.begin()
    await browser.finish(request, site="same-site")
    await asyncio.sleep(1)
    assert site.session_count() == 1
    assert site.provider.revoked == []


async def test_a_session_cookie_set_in_advance_is_never_adopted(browser: Browser, site: Site) -> None:
    browser.cookies[SESSION_COOKIE] = ("A" * 43, "Strict")
    await browser.sign_in()
    assert browser.session_cookie != "A" * 43


async def test_a_callback_in_another_browser_makes_no_session_and_asks_nobody(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    site.store.calls.clear()
    answer = await site.browser().finish(request)
    assert answer.status == 400
    assert way_on(answer.text) == "/bff/login/resume"
    assert site.session_count() == 0
    assert site.provider.calls["/token"] == 0
    assert site.store.calls == []
    assert site.count("logins", "stray") == 1


async def test_a_spent_callback_goes_on_by_way_of_our_own_page_when_somebody_is_logged_in(
    browser: Browser, site: Site
) -> None:
    request = await browser.begin("?return_to=/timesheets")
    kept = dict(browser.cookies)
    await browser.finish(request)
    browser.cookies |= kept
    again = await browser.finish(request)
    assert again.status == 400
    resume = way_on(again.text)
    assert resume == "/bff/login/resume?return_to=/timesheets"
    onward = await browser.navigate(resume)
    assert (onward.status, onward["location"]) == (303, "/timesheets")
    assert site.provider.calls["/token"] == 1
    assert browser.login_cookies == []


async def test_a_spent_callback_goes_straight_on_when_the_session_cookie_came_along(browser: Browser) -> None:
    request = await browser.begin("?return_to=/timesheets")
    kept = dict(browser.cookies)
    await browser.finish(request)
    browser.cookies |= kept
    again = await browser.finish(request, site="same-site")
    assert (again.status, again["location"]) == (303, "/timesheets")


@pytest.mark.parametrize("response_mode", ["query", "form_post"])
async def test_no_callback_leads_to_a_call_with_the_users_token(response_mode: str) -> None:
    """The way on from a spent callback is a navigation of our own origin, and any site may have begun the login."""
    async with running_site(response_mode=response_mode, upstream_url="https://api.example/v1") as site:
        browser = site.browser()
        request = await browser.begin("?return_to=/api/erase?all=1", site="cross-site")
        kept = dict(browser.cookies)
        assert (await browser.finish(request))["location"] == "/"
        browser.cookies |= kept
        assert way_on((await browser.finish(request)).text) == "/bff/login/resume"


async def test_a_stray_callback_with_a_dead_session_offers_a_new_login_and_begins_none(browser: Browser) -> None:
    browser.cookies[SESSION_COOKIE] = ("A" * 43, "Strict")
    answer = await browser.navigate("/bff/callback?code=1&state=unknown", site="same-site")
    assert answer.status == 400
    assert 'href="/bff/login"' in answer.text
    assert "http-equiv" not in answer.text


async def test_two_callbacks_at_once_redeem_the_code_once(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    site.provider.delay = 1.0
    answers = await asyncio.gather(*(browser.finish(request) for _ in range(2)))
    assert sorted(answer.status for answer in answers) == [303, 400]
    assert site.provider.calls["/token"] == 1


@pytest.mark.parametrize("state", ["x", "A" * 84, "A" * 40 + "." + "A" * 43])
async def test_a_forged_state_costs_no_store_access(browser: Browser, site: Site, state: str) -> None:
    site.store.calls.clear()
    answer = await browser.navigate(f"/bff/callback?code=1&state={state}", site="cross-site")
    assert answer.status == 400
    assert way_on(answer.text) == "/bff/login/resume"
    assert site.store.calls == []


async def test_an_expired_login_is_offered_again(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    request = await browser.begin()
    await asyncio.sleep(601)
    answer = await browser.finish(request)
    assert answer.status == 400
    fields = [getattr(record, "event_fields", {}) for record in caplog.records]
    assert "callback.state_expired" in {field.get("reason") for field in fields}
    onward = await browser.navigate(way_on(answer.text))
    assert onward.status == 400
    assert 'href="/bff/login"' in onward.text


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=1",
        "state=",
        "code=1&state=1&state=2",
        "code=1&code=2&state=1",
        "code=1&state=%",
        "code=1&state=%ff",
        "state=" + "a" * 20000,
        "state[]=1&code=1",
    ],
)
async def test_a_malformed_answer_gets_a_readable_page(browser: Browser, query: str) -> None:
    answer = await browser.navigate(f"/bff/callback?{query}", site="cross-site")
    assert answer.status == 400
    assert "login_failed" in answer.text
    assert 'href="/bff/login"' in answer.text


@pytest.mark.parametrize(
    "changes",
    [{"iss": "https://evil.example"}, {"id_token": "x"}, {"access_token": "x"}, {"response": "x"}, {"error": "x"}],
)
async def test_an_answer_that_fails_validation_ends_the_login_before_the_code_is_sent(
    browser: Browser, site: Site, changes: dict[str, str]
) -> None:
    request = await browser.begin("?return_to=/timesheets")
    answer = await browser.finish(request, **changes)
    assert answer.status == 400
    assert 'href="/bff/login?return_to=/timesheets"' in answer.text
    assert browser.login_cookies == []
    assert site.provider.calls["/token"] == 0
    assert site.count("logins", "failed") == 1


async def refuse(browser: Browser, error: str, **more: str) -> str:
    request = await browser.begin("?return_to=/timesheets")
    query = httpx2.QueryParams({"state": request["state"], "iss": ISSUER, "error": error, **more})
    answer = await browser.navigate(f"/bff/callback?{query}", site="cross-site")
    assert answer.status == 400
    assert browser.login_cookies == []
    return answer.text


@pytest.mark.parametrize("error", ["access_denied", "login_required", "interaction_required", "consent_required"])
async def test_a_refusal_of_the_provider_is_explained_and_can_be_tried_again(
    browser: Browser, site: Site, error: str
) -> None:
    text = await refuse(browser, error)
    assert 'href="/bff/login?return_to=/timesheets"' in text
    assert "<p>" in text
    assert site.count("logins", "refused") == 1


async def test_nothing_the_provider_wrote_about_an_error_is_shown(browser: Browser) -> None:
    text = await refuse(browser, "<script>alert(1)</script>", error_description="<b>hi</b>", error_uri="https://evil")
    assert "alert" not in text
    assert "hi" not in text
    assert "evil" not in text


async def test_a_refused_code_ends_the_login(browser: Browser, site: Site) -> None:
    site.provider.overrides["/token"] = lambda request: provider_answer(400, error="invalid_grant")
    answer = await browser.finish(await browser.begin())
    assert answer.status == 400
    assert browser.session_cookie is None
    assert browser.login_cookies == []


@pytest.mark.parametrize("changes", [{"nonce": "wrong"}, {"aud": "other"}, {"iss": "https://evil.example"}])
async def test_an_id_token_that_is_not_ours_makes_no_session(
    browser: Browser, site: Site, changes: dict[str, str]
) -> None:
    request = await browser.begin()
    claims: dict[str, Any] = {"nonce": request["nonce"], **changes}
    site.provider.overrides["/token"] = lambda _: site.provider._tokens("f", **claims)
    answer = await browser.finish(request)
    assert answer.status == 400
    assert browser.session_cookie is None
    assert site.session_count() == 0


async def test_a_provider_that_fails_after_the_state_was_used_asks_for_a_new_login(
    browser: Browser, site: Site
) -> None:
    request = await browser.begin("?return_to=/timesheets")
    site.provider.overrides["/token"] = lambda _: httpx2.Response(503)
    answer = await browser.finish(request)
    assert (answer.status, answer["retry-after"]) == (503, "5")
    assert 'href="/bff/login?return_to=/timesheets"' in answer.text
    assert browser.login_cookies == []
    assert site.count("logins", "unavailable") == 1


@pytest.mark.parametrize("document", ["/jwks", "/.well-known/openid-configuration"])
async def test_a_provider_that_cannot_be_read_before_the_state_was_used_leaves_the_login_to_a_reload(
    document: str,
) -> None:
    async with running_site() as site:
        browser = site.browser()
        request = await browser.begin()
        discovery = site.gateway.provider._discovery
        remote = discovery.keys if document == "/jwks" else discovery.metadata
        await asyncio.sleep(1)
        remote._document = None
        site.provider.overrides[document] = lambda _: httpx2.Response(500)
        answer = await browser.finish(request)
        assert answer.status == 503
        assert "reload" in answer.text
        assert len(browser.login_cookies) == 1
        del site.provider.overrides[document]
        await asyncio.sleep(3)
        assert (await browser.finish(request)).status == 303


async def test_a_store_outage_before_the_state_was_used_leaves_the_login_to_a_reload(
    browser: Browser, site: Site
) -> None:
    request = await browser.begin()
    site.store.failing.add("acquire")
    answer = await browser.finish(request)
    assert (answer.status, answer["retry-after"]) == (503, "2")
    assert answer.all("set-cookie") == []
    assert site.provider.calls["/token"] == 0
    site.store.failing.clear()
    assert (await browser.finish(request)).status == 303


async def test_tokens_that_cannot_be_kept_are_revoked(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    site.store.failing.add("create")
    answer = await browser.finish(request)
    assert answer.status == 503
    assert browser.session_cookie is None
    assert browser.login_cookies == []
    await asyncio.sleep(1)
    assert len(site.provider.revoked) == 2


@pytest.mark.parametrize("site_of_answer", ["cross-site", "same-origin"])
async def test_a_logout_here_while_the_answer_to_another_login_is_redeemed_wins(
    browser: Browser, site: Site, site_of_answer: str
) -> None:
    await browser.sign_in()
    request = await browser.begin()
    site.provider.delay = 5.0
    finishing = asyncio.create_task(browser.finish(request, site=site_of_answer))
    await asyncio.sleep(1)
    assert (await browser.fetch("POST", "/bff/logout")).status == 200
    answer = await finishing
    assert (answer.status, browser.session_cookie, site.session_count()) == (400, None, 0)
    await asyncio.sleep(20)
    assert len(site.provider.revoked) == 4, "the tokens of both logins"


async def test_a_login_that_begins_after_a_logout_succeeds_though_the_old_cookie_is_still_there(
    browser: Browser, site: Site
) -> None:
    await browser.sign_in()
    kept = dict(browser.cookies)
    await browser.fetch("POST", "/bff/logout")
    browser.cookies |= kept
    await browser.sign_in()
    assert (await browser.session())["authenticated"] is True
    assert site.session_count() == 1


async def test_a_logout_by_the_provider_while_the_login_was_under_way_wins(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    await site.gateway.sessions.end_by_provider(ISSUER, None, "user-1", site.provider.clock() + 1)
    answer = await browser.finish(request)
    assert answer.status == 400
    assert browser.session_cookie is None
    assert site.session_count() == 0
    await asyncio.sleep(1)
    assert len(site.provider.revoked) == 2


async def test_a_login_whose_tokens_are_past_the_providers_own_limit_makes_no_session(
    browser: Browser, site: Site
) -> None:
    request = await browser.begin()
    site.provider.id_token_changes["session_expiry"] = 1
    answer = await browser.finish(request)
    assert answer.status == 400
    assert site.session_count() == 0


async def test_an_answer_for_a_script_is_problem_details(site: Site) -> None:
    answer = await site.call("GET", "/bff/callback?code=1")
    assert answer["content-type"] == "application/problem+json"
    assert answer.json["code"] == "login_failed"


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT"])
async def test_only_get_is_answered(site: Site, method: str) -> None:
    answer = await site.call(method, "/bff/callback?code=1&state=2")
    assert (answer.status, answer["allow"]) == (405, "GET")


async def test_plain_oauth_logs_in_without_an_id_token() -> None:
    async with running_site(scopes="api") as site:
        site.provider.with_id_token = False
        browser = site.browser()
        request = await browser.begin()
        assert "nonce" not in request
        answer = await browser.finish({**request, "nonce": "code"})
        assert answer.status == 303
        assert (await browser.session())["authenticated"] is True
