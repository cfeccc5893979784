"""Logins that show nothing: at the top level without circles, in a frame with a message for our own page alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from tests.support.asgi_call import Answer, Fields
from tests.support.gateway_browser import SESSION_COOKIE, Browser, Site, running_site
from tests.support.signed_tokens import ISSUER

FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
SILENT_COOKIE = "__Host-Http-bff-login-silent"
NEEDS_A_PERSON = ["login_required", "interaction_required", "consent_required", "account_selection_required"]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running_site(silent_login="on") as running:
        yield running


async def refuse(browser: Browser, request: dict[str, str], error: str) -> Answer:
    query = urlencode({"error": error, "state": request["state"], "iss": ISSUER})
    return await browser.navigate(f"/bff/callback?{query}", site="cross-site")


# --- at the top level ---


async def test_a_silent_login_asks_for_none_and_ends_as_any_other(browser: Browser) -> None:
    request = await browser.begin("?prompt=none&return_to=/timesheets")
    assert request["prompt"] == "none"
    answer = await browser.finish(request)
    assert (answer.status, answer["location"]) == (303, "/timesheets")
    assert (await browser.session())["authenticated"] is True


@pytest.mark.parametrize("error", NEEDS_A_PERSON)
async def test_a_silent_login_that_would_need_a_person_goes_back_and_says_so(
    browser: Browser, site: Site, error: str
) -> None:
    request = await browser.begin("?prompt=none&return_to=/timesheets%3Fweek%3D7%23top")
    answer = await refuse(browser, request, error)
    assert (answer.status, answer["location"]) == (303, f"/timesheets?week=7&login_error={error}#top")
    assert browser.login_cookies == [SILENT_COOKIE]
    assert site.count("logins", "not_logged_in") == 1
    assert site.count("logins", "refused") == 0
    assert (await browser.session())["authenticated"] is False


async def test_a_page_that_tries_again_and_again_ends_at_a_page_with_a_link(browser: Browser, site: Site) -> None:
    place = "/timesheets"
    for _ in range(5):
        answer = await refuse(browser, await browser.begin(f"?prompt=none&return_to={place}"), "login_required")
        assert answer["location"] == "/timesheets?login_error=login_required", "what was said before is not said twice"
        place = "/timesheets%3Flogin_error%3Dlogin_required"
    asked = site.count("logins", "started")
    answer = await browser.navigate(f"/bff/login?prompt=none&return_to={place}")
    assert answer.status == 400
    assert '<a href="/bff/login?return_to=/timesheets">Sign in</a>' in answer.text
    assert site.count("logins", "started") == asked
    await browser.begin("?return_to=/timesheets")


async def test_a_login_that_succeeds_forgets_the_failures(browser: Browser) -> None:
    await refuse(browser, await browser.begin("?prompt=none"), "login_required")
    await browser.finish(await browser.begin("?prompt=none"))
    assert browser.login_cookies == []


@pytest.mark.parametrize("value", ["0", "6", "-1", "99", "x", "", "1; x", "\xb3"])
async def test_what_is_no_count_of_failures_counts_as_none(browser: Browser, value: str) -> None:
    browser.cookies[SILENT_COOKIE] = (value, "Lax")
    await browser.begin("?prompt=none")


async def test_another_refusal_of_a_silent_login_is_told_on_a_page(browser: Browser) -> None:
    answer = await refuse(browser, await browser.begin("?prompt=none"), "access_denied")
    assert answer.status == 400
    assert "access was denied" in answer.text


async def test_the_same_refusal_of_a_login_that_might_have_shown_something_is_told_on_a_page(browser: Browser) -> None:
    answer = await refuse(browser, await browser.begin(), "login_required")
    assert answer.status == 400


async def test_a_refusal_of_another_issuer_is_no_answer(browser: Browser) -> None:
    request = await browser.begin("?prompt=none")
    query = urlencode({"error": "login_required", "state": request["state"], "iss": "https://evil.example"})
    answer = await browser.navigate(f"/bff/callback?{query}", site="cross-site")
    assert answer.status == 400


async def test_where_prompt_is_not_passed_on_no_login_is_silent() -> None:
    async with running_site(login_params="none") as site:
        browser = site.browser()
        request = await browser.begin("?prompt=none")
        assert "prompt" not in request
        assert (await refuse(browser, request, "login_required")).status == 400


# --- in a frame ---

FRAME: Fields = [("Sec-Fetch-Dest", "iframe"), ("Sec-Fetch-Mode", "navigate"), ("Accept", "text/html")]


async def frame(browser: Browser, target: str, *, site: str, method: str = "GET", **arguments: Any) -> Answer:
    fields = [*FRAME, ("Sec-Fetch-Site", site), *arguments.pop("fields", ())]
    return await browser._send(method, target, fields, site=site, body=arguments.pop("body", b""))


async def begin_in_frame(browser: Browser, query: str = "") -> dict[str, str]:
    answer = await frame(browser, f"/bff/login/silent{query}", site="same-origin")
    assert answer.status == 302, answer
    return dict(parse_qsl(urlsplit(answer["location"]).query))


def message_of(answer: Answer) -> tuple[str, dict[str, Any]]:
    """Return to which origin the page sends what, after a look at how."""
    (origin,) = re.findall(r'data-origin="([^"]*)"', answer.text)
    (message,) = re.findall(r'data-message="([^"]*)"', answer.text)
    (script,) = re.findall("<script>(.*?)</script>", answer.text)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = answer["content-security-policy"]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "frame-ancestors 'self'" in policy
    assert answer["x-frame-options"] == "SAMEORIGIN"
    assert answer["cache-control"] == "no-store"
    assert "*" not in script
    return unescape(origin), json.loads(unescape(message))


def finished(request: dict[str, str]) -> str:
    return "/bff/callback?" + urlencode({"code": request["nonce"], "state": request["state"], "iss": ISSUER})


async def test_a_login_in_a_frame_tells_our_own_origin_that_it_worked(browser: Browser, site: Site) -> None:
    request = await begin_in_frame(browser, "?login_hint=ann&prompt=login&return_to=/elsewhere")
    assert (request["prompt"], request["login_hint"]) == ("none", "ann")
    answer = await frame(browser, finished(request), site="same-origin")
    assert answer.status == 200
    assert message_of(answer) == (
        "https://app.example.com",
        {"type": "bff.silent_login", "authenticated": True},
    )
    assert (await browser.session())["authenticated"] is True
    assert browser.login_cookies == []


@pytest.mark.parametrize("error", NEEDS_A_PERSON)
async def test_a_login_in_a_frame_tells_that_a_person_is_needed(browser: Browser, site: Site, error: str) -> None:
    request = await begin_in_frame(browser)
    query = urlencode({"error": error, "state": request["state"], "iss": ISSUER})
    answer = await frame(browser, f"/bff/callback?{query}", site="same-origin")
    assert message_of(answer)[1] == {"type": "bff.silent_login", "authenticated": False, "error": error}
    assert browser.login_cookies == []
    assert site.count("logins", "not_logged_in") == 1


async def test_an_answer_without_cookies_is_repeated_in_the_frame(browser: Browser) -> None:
    """A provider's page that goes on by script is another site, and its request brings no cookies in a frame."""
    request = await begin_in_frame(browser)
    kept, browser.cookies = browser.cookies, {}
    page = await frame(browser, finished(request), site="cross-site")
    assert page.status == 200
    assert "frame-ancestors 'self'" in page["content-security-policy"]
    assert request["nonce"] not in page.text
    browser.cookies = kept
    body = urlencode(re.findall(r'name="([^"]+)" value="([^"]*)">', page.text)[-1:]).encode()
    answer = await frame(browser, "/bff/callback", site="same-origin", method="POST", body=body, fields=FORM)
    assert message_of(answer)[1]["authenticated"] is True


async def test_an_answer_to_another_browsers_login_tells_the_page_that_it_failed(browser: Browser, site: Site) -> None:
    request = await begin_in_frame(browser)
    other = site.browser()
    page = await frame(other, finished(request), site="cross-site")
    body = urlencode(re.findall(r'name="([^"]+)" value="([^"]*)">', page.text)[-1:]).encode()
    answer = await frame(other, "/bff/callback", site="same-origin", method="POST", body=body, fields=FORM)
    assert message_of(answer)[1] == {"type": "bff.silent_login", "authenticated": False, "error": "login_failed"}
    assert site.provider.forms("/token") == []


async def test_whoever_is_logged_in_stays_so_and_the_provider_is_not_asked(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    before, started = browser.session_cookie, site.count("logins", "started")
    answer = await frame(browser, "/bff/login/silent", site="same-origin")
    assert message_of(answer)[1]["authenticated"] is True
    assert (browser.session_cookie, site.count("logins", "started")) == (before, started)


async def test_a_session_that_is_over_is_nobody_in_a_frame_too(browser: Browser) -> None:
    browser.cookies[SESSION_COOKIE] = ("A" * 43, "Strict")
    await begin_in_frame(browser)


async def test_who_logged_in_meanwhile_in_another_tab_stays_so(browser: Browser, site: Site) -> None:
    """Nobody was logged in when the frame began; the page that has logged in since shows its own user's data."""
    request = await begin_in_frame(browser)
    await browser.sign_in()
    before, redeemed = browser.session_cookie, len(site.provider.forms("/token"))
    site.provider.id_token_changes["sub"] = site.provider.userinfo["sub"] = "whoever-the-provider-has"
    answer = await frame(browser, finished(request), site="same-origin")
    assert message_of(answer)[1] == {"type": "bff.silent_login", "authenticated": True}
    assert (browser.session_cookie, len(site.provider.forms("/token"))) == (before, redeemed)
    assert browser.login_cookies == []
    assert (await browser.session())["claims"]["sub"] == "user-1"


async def test_a_store_that_cannot_tell_whether_somebody_logged_in_meanwhile_is_told_as_an_outage(
    browser: Browser, site: Site
) -> None:
    request = await begin_in_frame(browser)
    await browser.sign_in()
    before = browser.session_cookie
    site.store.failing.add("read")
    answer = await frame(browser, finished(request), site="same-origin")
    assert (answer.status, message_of(answer)[1]["error"]) == (503, "store_unavailable")
    assert browser.session_cookie == before


# --- for the user that the page shows, and nobody else ---


async def test_a_login_held_to_a_user_is_that_users(browser: Browser, site: Site) -> None:
    request = await begin_in_frame(browser, "?sub=user-1")
    assert "sub" not in request
    answer = await frame(browser, finished(request), site="same-origin")
    assert message_of(answer)[1]["authenticated"] is True


async def test_a_login_held_to_a_user_is_not_anothers(browser: Browser, site: Site) -> None:
    request = await begin_in_frame(browser, "?sub=the-one-on-the-page")
    answer = await frame(browser, finished(request), site="same-origin")
    assert message_of(answer)[1] == {"type": "bff.silent_login", "authenticated": False, "error": "login_required"}
    assert (browser.session_cookie, browser.login_cookies, site.session_count()) == (None, [], 0)
    assert site.count("logins", "not_logged_in") == 1
    await site.gateway.close()
    assert site.provider.latest_access_token in site.provider.revoked, "nobody will use its tokens"


async def test_a_page_that_shows_another_user_than_the_sessions_is_told_so(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    before, started = browser.session_cookie, site.count("logins", "started")
    answer = await frame(browser, "/bff/login/silent?sub=the-one-on-the-page", site="same-origin")
    assert message_of(answer)[1] == {"type": "bff.silent_login", "authenticated": False, "error": "login_required"}
    assert (browser.session_cookie, site.count("logins", "started")) == (before, started)


async def test_a_page_that_shows_another_user_than_the_one_who_logged_in_meanwhile_is_told_so(
    browser: Browser, site: Site
) -> None:
    request = await begin_in_frame(browser, "?sub=the-one-on-the-page")
    await browser.sign_in()
    before = browser.session_cookie
    answer = await frame(browser, finished(request), site="same-origin")
    assert message_of(answer)[1] == {"type": "bff.silent_login", "authenticated": False, "error": "login_required"}
    assert browser.session_cookie == before


async def test_at_the_top_level_too_a_silent_login_can_be_held_to_a_user(browser: Browser) -> None:
    answer = await browser.finish(await browser.begin("?prompt=none&sub=the-one-on-the-page&return_to=/timesheets"))
    assert (answer.status, answer["location"]) == (303, "/timesheets?login_error=login_required")
    assert browser.session_cookie is None


async def test_a_login_that_a_person_takes_part_in_is_held_to_nobody(browser: Browser) -> None:
    assert (await browser.finish(await browser.begin("?sub=the-one-on-the-page"))).status == 303


async def test_where_nobody_tells_who_the_user_is_no_login_is_held_to_one() -> None:
    async with running_site(silent_login="on", scopes="api") as site:
        browser = site.browser()
        request = await begin_in_frame(browser, "?sub=user-1")
        query = urlencode({"code": "code", "state": request["state"], "iss": ISSUER})
        answer = await frame(browser, f"/bff/callback?{query}", site="same-origin")
        assert message_of(answer)[1]["error"] == "login_required"
        assert browser.session_cookie is None


@pytest.mark.parametrize("subject", ["", "a" * 256])
async def test_what_can_be_no_user_is_refused(browser: Browser, site: Site, subject: str) -> None:
    answer = await frame(browser, f"/bff/login/silent?sub={subject}", site="same-origin")
    assert answer.status == 400
    assert browser.login_cookies == []


# --- what begins one ---


@pytest.mark.parametrize("site_of_page", ["same-site", "cross-site"])
async def test_no_other_site_ends_a_login_in_a_frame_that_this_browser_did_not_begin(
    browser: Browser, site: Site, site_of_page: str
) -> None:
    """A state is good with its cookie only, and in a frame of another page nothing but the repeating page is shown."""
    attacker = site.browser()
    request = await begin_in_frame(attacker)
    page = await frame(browser, finished(request), site=site_of_page)
    assert "frame-ancestors 'self'" in page["content-security-policy"]
    assert (browser.session_cookie, site.provider.forms("/token")) == (None, [])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([("Sec-Fetch-Dest", "document"), ("Sec-Fetch-Site", "same-origin")], "not_a_frame"),
        ([("Sec-Fetch-Dest", "empty"), ("Sec-Fetch-Site", "same-origin")], "not_a_frame"),
        ([("Sec-Fetch-Dest", "iframe"), ("Sec-Fetch-Site", "cross-site")], "foreign_frame"),
        ([("Sec-Fetch-Dest", "iframe"), ("Sec-Fetch-Site", "same-site")], "foreign_frame"),
        ([("Sec-Fetch-Dest", "iframe"), ("Sec-Fetch-Site", "none")], "foreign_frame"),
    ],
)
async def test_only_a_frame_of_our_own_page_begins_such_a_login(site: Site, fields: Fields, reason: str) -> None:
    answer = await site.call("GET", "/bff/login/silent", fields)
    assert answer.status == 400
    assert answer.all("set-cookie") == []


async def test_a_failure_nobody_expects_is_told_by_its_code_and_logged(
    browser: Browser, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    request = await begin_in_frame(browser)
    site.provider.overrides["/token"] = lambda _: httpx2.Response(400, json={"error": "invalid_grant"})
    answer = await frame(browser, finished(request), site="same-origin")
    assert answer.status == 400
    assert message_of(answer)[1]["error"] == "login_failed"
    assert "request.refused" in caplog.messages


async def test_an_outage_is_told_as_one(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    site.store.failing.add("read")
    answer = await frame(browser, "/bff/login/silent", site="same-origin")
    assert (answer.status, message_of(answer)[1]["error"]) == (503, "store_unavailable")


async def test_where_it_is_not_turned_on_there_is_no_such_endpoint() -> None:
    async with running_site() as site:
        assert (await frame(site.browser(), "/bff/login/silent", site="same-origin")).status == 404
