"""What the application is told of the session."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.support.asgi_call import Answer, Fields
from tests.support.gateway_browser import SESSION_COOKIE, Browser, Site, running_site
from tests.support.provider_double import answer as provider_answer

SAME_ORIGIN = [("Sec-Fetch-Site", "same-origin")]
ANONYMOUS = {"authenticated": False, "login_url": "/bff/login"}


async def ask(site: Site, cookies: list[str], fields: Fields = SAME_ORIGIN, method: str = "GET") -> Answer:
    cookie = [("Cookie", "; ".join(f"{SESSION_COOKIE}={value}" for value in cookies))] if cookies else []
    return await site.call(method, "/bff/session", [*fields, *cookie])


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_nobody_is_told_how_to_log_in(browser: Browser, method: str) -> None:
    answer = await browser.fetch(method, "/bff/session")
    assert (answer.status, answer.json) == (200, ANONYMOUS)
    assert answer["content-type"] == "application/json"
    assert answer["cache-control"] == "no-store"
    assert answer["vary"] == "Cookie"
    assert answer.all("set-cookie") == []


async def test_somebody_is_told_claims_and_limits(browser: Browser) -> None:
    await browser.sign_in()
    await asyncio.sleep(10.5)
    answer = await browser.fetch("GET", "/bff/session")
    assert answer.json == {
        "authenticated": True,
        "claims": {"sub": "user-1", "name": "Ada"},
        "idle_expires_in": 30 * 60 - 11,
        "expires_in": 8 * 3600 - 11,
        "logout_url": "/bff/logout",
    }
    assert answer["cache-control"] == "no-store"
    assert answer["vary"] == "Cookie"


async def test_the_operator_decides_which_claims_are_shown_and_in_which_order() -> None:
    async with running_site(session_claims="name zoneinfo sub") as site:
        site.provider.id_token_changes |= {"name": "Ann Ödegård", "email": "ann@example.com", "zoneinfo": "Europe/Oslo"}
        browser = site.browser()
        await browser.sign_in()
        claims = (await browser.session())["claims"]
        assert list(claims.items()) == [("name", "Ann Ödegård"), ("zoneinfo", "Europe/Oslo"), ("sub", "user-1")]


async def test_no_token_is_ever_shown(browser: Browser) -> None:
    await browser.sign_in()
    for method, path in [("GET", "/bff/session"), ("POST", "/bff/session"), ("POST", "/bff/session/refresh")]:
        text = (await browser.fetch(method, path)).text
        assert "access-" not in text
        assert "refresh-" not in text
        assert "eyJ" not in text


async def test_looking_does_not_extend_the_session(browser: Browser) -> None:
    await browser.sign_in()
    for _ in range(5):
        await asyncio.sleep(5 * 60)
        assert (await browser.session())["authenticated"] is True
    await asyncio.sleep(5 * 60)
    assert await browser.session() == ANONYMOUS


async def test_a_post_extends_the_idle_limit_but_not_the_absolute_one(browser: Browser) -> None:
    await browser.sign_in()
    for _ in range(47):
        await asyncio.sleep(10 * 60)
        answer = await browser.fetch("POST", "/bff/session")
        assert answer.json["authenticated"] is True
    assert answer.json["idle_expires_in"] == answer.json["expires_in"] == 600
    await asyncio.sleep(10 * 60)
    assert (await browser.fetch("POST", "/bff/session")).json == ANONYMOUS


async def test_head_is_not_answered(browser: Browser) -> None:
    answer = await browser.fetch("HEAD", "/bff/session")
    assert (answer.status, answer["allow"]) == (405, "GET, POST")


class TestCookie:
    @pytest.mark.parametrize("value", ["", "x", "A" * 42, "A" * 44, "A" * 42 + "B", '"' + "A" * 43 + '"', "A" * 5000])
    async def test_that_is_no_handle_is_removed(self, site: Site, value: str) -> None:
        site.store.calls.clear()
        answer = await ask(site, [value])
        assert answer.json == ANONYMOUS
        assert answer["set-cookie"] == (
            f"{SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=0; "
            "Expires=Thu, 01 Jan 1970 00:00:00 GMT"
        )
        assert site.store.calls == []

    async def test_sent_twice_counts_for_nothing_even_if_both_are_good(self, site: Site, browser: Browser) -> None:
        await browser.sign_in()
        handle = str(browser.session_cookie)
        for cookies in ([handle, handle], [handle, "A" * 43], ["", handle]):
            answer = await ask(site, cookies)
            assert answer.json == ANONYMOUS
            assert "Max-Age=0" in answer["set-cookie"]
        assert (await ask(site, [handle])).json["authenticated"] is True

    @pytest.mark.parametrize(
        "name", ["\xa0__Host-Http-bff", "\x85__Host-Http-bff", "__host-http-bff", "=__Host-Http-bff", "bff"]
    )
    async def test_under_another_name_is_none(self, site: Site, browser: Browser, name: str) -> None:
        await browser.sign_in()
        answer = await site.call("GET", "/bff/session", [*SAME_ORIGIN, ("Cookie", f"{name}={browser.session_cookie}")])
        assert answer.json == ANONYMOUS
        assert answer.all("set-cookie") == []

    async def test_of_a_session_that_is_over_stays_for_it_may_have_been_replaced_meanwhile(self, site: Site) -> None:
        answer = await ask(site, ["A" * 43])
        assert answer.json == ANONYMOUS
        assert answer.all("set-cookie") == []


class TestOtherOrigin:
    @pytest.mark.parametrize(
        "fields",
        [
            [("Sec-Fetch-Site", "cross-site")],
            [("Sec-Fetch-Site", "same-site")],
            [("Sec-Fetch-Site", "cross-site"), ("X-CSRF", "1"), ("Origin", "https://app.example.com")],
            [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
            [("Origin", "https://evil.example")],
            [("Origin", "null")],
            [("Origin", "https://app.example.com"), ("Origin", "https://app.example.com")],
            [],
            [("X-CSRF", "0")],
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_is_refused_with_a_cookie(self, site: Site, browser: Browser, fields: Fields, method: str) -> None:
        await browser.sign_in()
        site.store.calls.clear()
        answer = await ask(site, [str(browser.session_cookie)], fields, method)
        assert (answer.status, answer.json["code"]) == (403, "csrf_rejected")
        assert site.store.calls == []
        assert sum(site.count("csrf_rejections", rule) for rule in ("fetch_metadata", "origin", "header")) == 1

    @pytest.mark.parametrize(
        "fields",
        [
            [("Sec-Fetch-Site", "same-origin"), ("Origin", "null")],
            [("Origin", "https://app.example.com")],
            [("X-CSRF", "1")],
            [("Sec-Fetch-Site", "none")],
        ],
    )
    async def test_is_not_where_our_own_pages_are(self, site: Site, browser: Browser, fields: Fields) -> None:
        await browser.sign_in()
        assert (await ask(site, [str(browser.session_cookie)], fields)).json["authenticated"] is True

    async def test_learns_nothing_without_a_cookie(self, site: Site) -> None:
        answer = await ask(site, [], [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example")])
        assert answer.json == ANONYMOUS
        assert answer.all("access-control-allow-origin") == []


class TestStoreOutage:
    @pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("POST", "/refresh")])
    async def test_is_told_and_keeps_the_cookie(self, site: Site, browser: Browser, method: str, path: str) -> None:
        await browser.sign_in()
        site.store.failing.add("*")
        answer = await browser.fetch(method, f"/bff/session{path}")
        assert (answer.status, answer.json["code"], answer["retry-after"]) == (503, "store_unavailable", "2")
        assert answer["content-type"] == "application/problem+json"
        assert answer.all("set-cookie") == []
        site.store.failing.clear()
        assert (await browser.session())["authenticated"] is True

    async def test_does_not_concern_who_presents_no_session(self, site: Site, browser: Browser) -> None:
        site.store.failing.add("*")
        assert await browser.session() == ANONYMOUS


class TestRefresh:
    async def test_renews_tokens_and_claims_and_extends_the_session(self, site: Site, browser: Browser) -> None:
        await browser.sign_in()
        await asyncio.sleep(60)
        site.provider.userinfo["name"] = "Ada Lovelace"
        answer = await browser.fetch("POST", "/bff/session/refresh")
        assert answer.json["claims"]["name"] == "Ada Lovelace"
        assert answer.json["idle_expires_in"] == 30 * 60
        assert [form["grant_type"] for form in site.provider.forms("/token")] == ["authorization_code", "refresh_token"]
        assert (await browser.session())["claims"]["name"] == "Ada Lovelace"

    async def test_of_nobody_answers_so(self, site: Site, browser: Browser) -> None:
        assert (await browser.fetch("POST", "/bff/session/refresh")).json == ANONYMOUS
        assert site.provider.calls["/token"] == 0

    async def test_that_the_provider_refuses_ends_the_session(self, site: Site, browser: Browser) -> None:
        await browser.sign_in()
        site.provider.end_grants()
        assert (await browser.fetch("POST", "/bff/session/refresh")).json == ANONYMOUS
        assert await browser.session() == ANONYMOUS
        assert site.count("sessions_ended", "grant_refused") == 1

    async def test_that_brings_tokens_of_another_user_ends_the_session(self, site: Site, browser: Browser) -> None:
        await browser.sign_in()
        site.provider.id_token_changes = {"sub": "user-2"}
        assert (await browser.fetch("POST", "/bff/session/refresh")).json == ANONYMOUS
        assert await browser.session() == ANONYMOUS
        assert site.count("sessions_ended", "subject_changed") == 1
        assert site.count("sessions_ended", "grant_refused") == 0

    async def test_without_a_provider_is_told_and_ends_nothing(self, site: Site, browser: Browser) -> None:
        await browser.sign_in()
        site.provider.overrides["/token"] = lambda _: httpx2.Response(503)
        answer = await browser.fetch("POST", "/bff/session/refresh")
        assert (answer.status, answer.json["code"]) == (503, "provider_unavailable")
        assert answer["retry-after"]
        assert (await browser.session())["authenticated"] is True

    @pytest.mark.parametrize("status", [400, 403])
    async def test_that_is_refused_in_words_nobody_understands_is_told_as_that_and_ends_nothing(
        self, site: Site, browser: Browser, caplog: pytest.LogCaptureFixture, status: int
    ) -> None:
        await browser.sign_in()
        site.provider.overrides["/token"] = lambda _: httpx2.Response(status, text="<html>")
        answer = await browser.fetch("POST", "/bff/session/refresh")
        assert (answer.status, answer.json["code"]) == (503, "provider_unavailable")
        assert answer.json["title"] == "The identity provider gave an unusable answer."
        reasons = {
            r.msg: vars(r)["event_fields"]["reason"] for r in caplog.records if "reason" in vars(r)["event_fields"]
        }
        assert reasons == {"refresh.failed": "token.malformed", "request.refused": "token.malformed"}
        assert (await browser.session())["authenticated"] is True
        assert site.count("refreshes", "invalid_answer") == 1

    async def test_by_a_client_the_provider_refuses_is_told_and_ends_nothing(
        self, site: Site, browser: Browser
    ) -> None:
        await browser.sign_in()
        site.provider.overrides["/token"] = lambda _: provider_answer(401, error="invalid_client")
        answer = await browser.fetch("POST", "/bff/session/refresh")
        assert (answer.status, answer.json["code"]) == (503, "provider_unavailable")
        assert (await browser.session())["authenticated"] is True

    async def test_from_another_origin_is_refused(self, site: Site, browser: Browser) -> None:
        await browser.sign_in()
        fields = [("Cookie", f"{SESSION_COOKIE}={browser.session_cookie}"), ("Origin", "https://evil.example")]
        assert (await site.call("POST", "/bff/session/refresh", fields)).status == 403
        assert len(site.provider.forms("/token")) == 1


async def test_on_plain_http_the_cookie_has_no_prefix() -> None:
    async with running_site(public_url="http://localhost:8080", cookie_name="demo") as site:
        answer = await site.call("GET", "/bff/session", [*SAME_ORIGIN, ("Cookie", "demo=x")])
        assert answer["set-cookie"].startswith("demo=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
        assert answer.get("strict-transport-security") is None
