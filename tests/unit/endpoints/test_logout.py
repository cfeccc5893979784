"""The end of a session by its user: here first, then at the provider."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from bff.session.cookies import decode_handle
from bff.session.store import StoredSession
from bff.settings.token_target import TokenTarget
from tests.support.asgi_call import Answer, Fields
from tests.support.gateway_browser import SESSION_COOKIE, Browser, Site, running_site
from tests.support.signed_tokens import CLIENT_ID, ISSUER

JSON = ("Accept", "application/json")
SAME_ORIGIN = ("Sec-Fetch-Site", "same-origin")


async def log_out(browser: Browser) -> Answer:
    return await browser.fetch("POST", "/bff/logout", fields=[JSON])


async def test_a_script_gets_the_providers_url(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    answer = await log_out(browser)
    assert answer.status == 200
    url = urlsplit(answer.json["logout_url"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{ISSUER}/logout"
    query = dict(parse_qsl(url.query))
    assert query["client_id"] == CLIENT_ID
    assert query["post_logout_redirect_uri"] == "https://app.example.com/"
    assert query["id_token_hint"].count(".") == 2
    assert answer["cache-control"] == "no-store"
    assert browser.cookies == {}
    assert site.count("sessions_ended", "logout") == 1


async def test_a_form_is_redirected_there_with_303(browser: Browser) -> None:
    await browser.sign_in()
    answer = await browser.navigate("/bff/logout", method="POST")
    assert answer.status == 303
    assert answer["location"].startswith(f"{ISSUER}/logout?id_token_hint=")
    assert browser.session_cookie is None


FORM = ("Content-Type", "application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([SAME_ORIGIN], 200),
        ([SAME_ORIGIN, ("Accept", "*/*")], 200),
        ([SAME_ORIGIN, ("Accept", "text/html")], 303),
        ([SAME_ORIGIN, ("Accept", "text/html, application/json")], 200),
        ([SAME_ORIGIN, ("Sec-Fetch-Mode", "navigate")], 303),
        ([SAME_ORIGIN, ("Sec-Fetch-Mode", "cors"), ("Accept", "text/html")], 200),
        ([SAME_ORIGIN, ("Accept", "*/*"), FORM], 303),
        ([SAME_ORIGIN, ("Accept", "application/json"), FORM], 200),
        ([SAME_ORIGIN, ("Sec-Fetch-Mode", "cors"), FORM], 200),
    ],
)
async def test_who_navigates_is_redirected_and_who_calls_gets_json(site: Site, fields: Fields, status: int) -> None:
    assert (await site.call("POST", "/bff/logout", fields)).status == status


async def test_a_captured_cookie_is_worth_nothing_afterwards(browser: Browser) -> None:
    await browser.sign_in()
    captured = browser.cookies[SESSION_COOKIE]
    await log_out(browser)
    browser.cookies[SESSION_COOKIE] = captured
    assert (await browser.session())["authenticated"] is False


async def test_the_tokens_are_revoked_after_the_answer(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    site.provider.delay = 5
    await log_out(browser)
    assert site.provider.revoked == []
    await asyncio.sleep(20)
    assert [token.split("-")[0] for token in site.provider.revoked] == ["refresh", "access"]


async def test_the_tokens_for_other_apis_are_revoked_too(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    handle = decode_handle(str(browser.session_cookie).encode())
    assert handle is not None
    tokens, target = site.gateway.tokens, TokenTarget(audience="reports", is_exchanged=True)
    _, token = await tokens.access_token(await site.gateway.sessions.resume(handle), target)
    await log_out(browser)
    await asyncio.sleep(1)
    assert token.value in site.provider.revoked
    assert len(site.provider.revoked) == 3


async def test_the_tokens_of_a_refresh_that_finishes_in_between_are_revoked(
    browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await browser.sign_in()
    handle = decode_handle(str(browser.session_cookie).encode())
    assert handle is not None

    async def refresh_first(key: str, **arguments: Any) -> StoredSession | None:
        await site.gateway.tokens.refresh_now(await site.gateway.sessions.resume(handle))
        return await site.store._inner.end(key, **arguments)

    monkeypatch.setattr(site.store, "end", refresh_first, raising=False)
    await log_out(browser)
    await asyncio.sleep(1)
    assert len(site.provider._spent) == 1
    assert {*site.provider._live, site.provider.latest_access_token} == set(site.provider.revoked)


async def test_a_session_past_its_limit_that_is_still_in_the_store_is_ended_with_its_tokens(
    browser: Browser, site: Site
) -> None:
    await browser.sign_in()
    handle = decode_handle(str(browser.session_cookie).encode())
    assert handle is not None
    key = site.gateway.sessions.store_key(handle)
    await site.store._inner.touch(key, touched_at=site.provider.clock() - 86400, lifetime=60)
    assert (await log_out(browser)).json["logout_url"].startswith(f"{ISSUER}/logout?")
    await asyncio.sleep(1)
    assert len(site.provider.revoked) == 2
    assert site.session_count() == 0


async def test_a_provider_that_cannot_be_reached_does_not_stop_a_logout(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    site.provider.overrides["/revoke"] = lambda _: httpx2.Response(503)
    assert (await log_out(browser)).status == 200
    assert site.session_count() == 0


async def test_without_the_providers_metadata_the_browser_goes_to_the_post_logout_path() -> None:
    async with running_site(post_logout_path="/bye") as site:
        browser = site.browser()
        await browser.sign_in()
        site.gateway.provider._discovery.metadata._document = None
        site.provider.overrides["/.well-known/openid-configuration"] = lambda _: httpx2.Response(503)
        assert (await log_out(browser)).json == {"logout_url": "/bye"}
        assert site.session_count() == 0


async def test_a_provider_without_end_session_and_revocation_will_do() -> None:
    async with running_site(post_logout_path="/bye") as site:
        site.provider.metadata |= {"end_session_endpoint": ..., "revocation_endpoint": ...}
        browser = site.browser()
        await browser.sign_in()
        assert (await log_out(browser)).json == {"logout_url": "/bye"}
        assert site.provider.revoked == []


async def test_nobody_can_log_out_too(browser: Browser) -> None:
    answer = await log_out(browser)
    assert answer.json == {"logout_url": "/"}
    assert answer["set-cookie"].startswith(f"{SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0")


@pytest.mark.parametrize("value", ["garbage", "A" * 43])
async def test_a_cookie_without_a_session_is_cleared(browser: Browser, value: str) -> None:
    browser.cookies[SESSION_COOKIE] = (value, "Strict")
    assert (await log_out(browser)).json == {"logout_url": "/"}
    assert browser.cookies == {}


async def test_a_second_logout_finds_nothing_left_to_do(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    captured = browser.cookies[SESSION_COOKIE]
    await log_out(browser)
    browser.cookies[SESSION_COOKIE] = captured
    assert (await log_out(browser)).json == {"logout_url": "/"}
    assert site.count("sessions_ended", "logout") == 1


async def test_a_session_that_another_request_has_just_ended_is_not_counted_again(
    browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_late(_key: str, **_arguments: object) -> None:
        return None

    await browser.sign_in()
    monkeypatch.setattr(site.store, "end", too_late, raising=False)
    assert (await log_out(browser)).status == 200
    assert site.count("sessions_ended", "logout") == 0


async def test_logins_under_way_are_dropped(browser: Browser) -> None:
    request = await browser.begin()
    await log_out(browser)
    assert browser.login_cookies == []
    assert (await browser.finish(request)).status == 400


@pytest.mark.parametrize("is_signed_in", [True, False])
async def test_a_logout_wins_over_a_login_whose_answer_is_on_its_way_to_the_browser(
    browser: Browser, site: Site, is_signed_in: bool
) -> None:
    if is_signed_in:
        await browser.sign_in()
    request = await browser.begin()
    before = dict(browser.cookies)
    await browser.finish(request)
    after, browser.cookies = browser.cookies, before
    answer = await log_out(browser)
    url = urlsplit(answer.json["logout_url"])
    assert (url.path, dict(parse_qsl(url.query))["client_id"]) == (urlsplit(f"{ISSUER}/logout").path, CLIENT_ID)
    assert (browser.cookies, site.session_count()) == ({}, 0)
    browser.cookies = after
    assert (await browser.session())["authenticated"] is False
    assert site.count("sessions_ended", "logout") == 1


async def test_a_logout_by_nobody_wins_over_a_login_whose_code_is_being_redeemed(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    site.provider.delay = 5.0
    finishing = asyncio.create_task(browser.finish(request))
    await asyncio.sleep(1)
    assert (await log_out(browser)).json == {"logout_url": "/"}
    answer = await finishing
    assert (answer.status, browser.session_cookie, site.session_count()) == (400, None, 0)
    await asyncio.sleep(20)
    assert len(site.provider.revoked) == 2


@pytest.mark.parametrize("failing", ["put", "get"])
async def test_a_login_under_way_that_cannot_be_dropped_is_no_logout_and_the_cookies_stay(
    browser: Browser, site: Site, failing: str
) -> None:
    await browser.sign_in()
    await browser.begin()
    before = dict(browser.cookies)
    site.store.failing.add(failing)
    assert (await log_out(browser)).status == 503
    assert (browser.cookies, site.session_count()) == (before, 1)
    site.store.failing.clear()
    assert (await log_out(browser)).status == 200
    assert site.session_count() == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_it_takes_a_post(browser: Browser, method: str) -> None:
    await browser.sign_in()
    answer = await browser.fetch(method, "/bff/logout")
    assert (answer.status, answer["allow"]) == (405, "POST")
    assert (await browser.session())["authenticated"] is True


@pytest.mark.parametrize(
    "fields",
    [
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site")],
        [("Sec-Fetch-Site", "none")],
        [("Origin", "https://evil.example")],
        [],
    ],
)
async def test_other_sites_cannot_log_anybody_out_even_where_the_cookie_does_not_come_along(
    browser: Browser, site: Site, fields: Fields
) -> None:
    await browser.sign_in()
    for cookie in ([], [("Cookie", f"{SESSION_COOKIE}={browser.session_cookie}")]):
        answer = await site.call("POST", "/bff/logout", [*fields, *cookie])
        assert (answer.status, answer.json["code"]) == (403, "csrf_rejected")
        assert answer.all("set-cookie") == []
    assert (await browser.session())["authenticated"] is True


@pytest.mark.parametrize("failing", ["read", "end"])
async def test_a_store_outage_is_no_logout_and_says_so(browser: Browser, site: Site, failing: str) -> None:
    await browser.sign_in()
    site.store.failing.add(failing)
    answer = await log_out(browser)
    assert (answer.status, answer.json["code"], answer["retry-after"]) == (503, "store_unavailable", "2")
    assert answer.all("set-cookie") == []
    site.store.failing.clear()
    assert (await browser.session())["authenticated"] is True
    assert site.provider.revoked == []


async def test_a_store_outage_is_a_page_for_a_form(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    site.store.failing.add("*")
    answer = await browser.navigate("/bff/logout", method="POST")
    assert answer.status == 503
    assert "store_unavailable" in answer.text


async def test_a_configured_page_of_the_provider_takes_the_place_of_its_end_session_endpoint() -> None:
    url = "https://id.example.com/logout?client_id=app&logout_uri=https%3A%2F%2Fapp.example.com%2F"
    async with running_site(logout_url=url) as site:
        browser = site.browser()
        await browser.sign_in()
        answer = await browser.fetch("POST", "/bff/logout", fields=[("Accept", "application/json")])
        assert answer.json == {"logout_url": url}
        assert (await browser.session())["authenticated"] is False
