"""The way on from a login that led nowhere: to where it was to end, or to a page; never to the provider."""

from __future__ import annotations

import pytest

from tests.support.gateway_browser import SESSION_COOKIE, Browser, Site


async def test_somebody_who_is_logged_in_goes_on(browser: Browser) -> None:
    await browser.sign_in()
    answer = await browser.navigate("/bff/login/resume?return_to=/timesheets%3Fweek%3D7")
    assert (answer.status, answer["location"], answer["cache-control"]) == (303, "/timesheets?week=7", "no-store")


@pytest.mark.parametrize("query", ["", "?return_to=https://evil.example", "?return_to=//evil", "?return_to=%", "?a&a"])
async def test_only_to_a_path_of_this_origin(browser: Browser, query: str) -> None:
    await browser.sign_in()
    assert (await browser.navigate(f"/bff/login/resume{query}"))["location"] == "/"


@pytest.mark.parametrize("cookie", [None, "garbage", "A" * 43])
async def test_nobody_is_offered_a_login_and_none_begins_by_itself(browser: Browser, cookie: str | None) -> None:
    if cookie is not None:
        browser.cookies[SESSION_COOKIE] = (cookie, "Strict")
    answer = await browser.navigate("/bff/login/resume?return_to=/a%26b")
    assert answer.status == 400
    assert answer.get("location") is None
    assert "http-equiv" not in answer.text
    assert 'href="/bff/login?return_to=/a%26b"' in answer.text


async def test_a_store_outage_offers_to_try_again(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    site.store.failing.add("read")
    answer = await browser.navigate("/bff/login/resume?return_to=/timesheets")
    assert (answer.status, answer["retry-after"]) == (503, "2")
    assert 'href="/bff/login/resume?return_to=/timesheets"' in answer.text
    assert answer.all("set-cookie") == []


async def test_a_store_outage_at_a_stray_callback_is_told(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    site.store.failing.add("read")
    answer = await browser.navigate("/bff/callback?code=1&state=unknown", site="same-site")
    assert answer.status == 503
