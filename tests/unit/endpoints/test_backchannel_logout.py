"""The end of sessions by the provider (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from bff.errors import StoreUnavailable
from tests.support.asgi_call import Answer, Fields
from tests.support.gateway_browser import Browser, Site
from tests.support.signed_tokens import logout_token_claims, rsa_key, sign

FORM = [("Content-Type", "application/x-www-form-urlencoded")]


def logout_token(site: Site, **changes: Any) -> str:
    now = int(site.provider.clock())
    claims = logout_token_claims(**{"iat": now, "exp": now + 120, "sub": "user-1", "sid": ..., **changes})
    return sign({name: value for name, value in claims.items() if value is not ...}, typ="logout+jwt", kid="key-1")


async def post(site: Site, token: str, **more: str) -> Answer:
    return await post_body(site, urlencode({"logout_token": token, **more}).encode())


async def post_body(site: Site, body: bytes, fields: Fields = FORM, **arguments: Any) -> Answer:
    return await site.call("POST", "/bff/backchannel-logout", fields, body=body, **arguments)


def assert_refused(answer: Answer) -> None:
    assert answer.status == 400
    assert answer.json == {"error": "invalid_request"}
    assert answer["content-type"] == "application/json"
    assert answer["cache-control"] == "no-store"


async def sign_in(site: Site, **claims: Any) -> Browser:
    site.provider.id_token_changes = claims
    browser = site.browser()
    await browser.sign_in()
    return browser


async def is_logged_in(browser: Browser) -> bool:
    return bool((await browser.session())["authenticated"])


async def test_a_subject_ends_all_sessions_of_that_user_and_no_others(site: Site) -> None:
    site.provider.userinfo = {}
    site.provider.overrides["/userinfo"] = lambda _: httpx2.Response(404)
    first, second = await sign_in(site), await sign_in(site)
    stranger = await sign_in(site, sub="user-2")
    answer = await post(site, logout_token(site))
    assert (answer.status, answer.body, answer["cache-control"]) == (200, b"", "no-store")
    assert [await is_logged_in(browser) for browser in (first, second, stranger)] == [False, False, True]
    assert site.count("sessions_ended", "backchannel_logout") == 2
    assert site.count("backchannel_logouts", "accepted") == 1


async def test_the_tokens_of_a_session_that_the_provider_ends_are_gone_here_and_left_alone_there(site: Site) -> None:
    """Only the browser has the handle that opens the record: the gateway cannot say which tokens to revoke."""
    browser = await sign_in(site)
    asked = site.provider.calls.total()
    assert (await post(site, logout_token(site))).status == 200
    assert site.session_count() == 0
    assert (await browser.fetch("POST", "/bff/session/refresh")).json["authenticated"] is False
    assert (await browser.fetch("POST", "/bff/logout", fields=[("Accept", "application/json")])).status == 200
    await site.gateway.close()
    assert site.provider.calls.total() == asked
    assert site.provider.revoked == []


async def test_a_session_identifier_ends_that_session_alone(site: Site) -> None:
    first, second = await sign_in(site, sid="1"), await sign_in(site, sid="2")
    assert (await post(site, logout_token(site, sid="1"))).status == 200
    assert [await is_logged_in(browser) for browser in (first, second)] == [False, True]


async def test_sessions_that_are_gone_already_count_as_ended(site: Site) -> None:
    assert (await post(site, logout_token(site))).status == 200


async def test_a_login_after_the_logout_works(site: Site) -> None:
    await post(site, logout_token(site, iat=int(site.provider.clock()) - 5))
    await asyncio.sleep(0.001)
    assert await is_logged_in(await sign_in(site))


async def test_other_parameters_cookies_and_other_sites_do_not_matter(site: Site) -> None:
    fields = [
        *FORM,
        ("Cookie", "__Host-Http-bff=x"),
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ]
    body = urlencode({"a": "b", "logout_token": logout_token(site), "c": ""}).encode()
    assert (await post_body(site, body, fields)).status == 200


async def test_the_body_may_arrive_in_pieces_and_with_parameters_of_its_media_type(site: Site) -> None:
    body = urlencode({"logout_token": logout_token(site)}).encode()
    fields = [("Content-Type", "Application/X-WWW-form-urlencoded; charset=UTF-8")]
    answer = await site.call("POST", "/bff/backchannel-logout", fields, body=[body[:100], b"", body[100:]])
    assert answer.status == 200


async def test_a_token_is_used_once(site: Site) -> None:
    token = logout_token(site)
    assert (await post(site, token)).status == 200
    await asyncio.sleep(0.001)
    browser = await sign_in(site)
    assert_refused(await post(site, token))
    assert await is_logged_in(browser)
    assert site.count("backchannel_logouts", "refused") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "another"},
        {"nonce": "n"},
        {"events": {}},
        {"events": ...},
        {"jti": ...},
        {"iat": ...},
        {"sub": ...},
        {"exp": 1},
    ],
)
async def test_a_token_that_is_not_in_order_is_refused(site: Site, changes: dict[str, Any]) -> None:
    browser = await sign_in(site)
    assert_refused(await post(site, logout_token(site, **changes)))
    assert await is_logged_in(browser)


async def test_a_token_signed_by_somebody_else_is_refused(site: Site) -> None:
    now = int(site.provider.clock())
    claims = logout_token_claims(iat=now, exp=now + 120)
    assert_refused(await post(site, sign(claims, key=rsa_key(7), kid="key-1", typ="logout+jwt")))


async def test_an_id_token_is_no_logout_token(site: Site) -> None:
    assert_refused(await post(site, site.provider.id_token()))


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (FORM, b""),
        (FORM, b"logout_token="),
        (FORM, b"token=x"),
        (FORM, b"logout_token=a&logout_token=b"),
        (FORM, b"logout_token=%"),
        (FORM, b"logout_token=x"),
        (FORM, b"logout_token=" + b"a" * 70_000),
        ([("Content-Type", "application/json")], b'{"logout_token": "x"}'),
        ([("Content-Type", "multipart/form-data")], b"logout_token=x"),
        ([], b"logout_token=x"),
    ],
)
async def test_a_post_that_is_no_logout_is_refused(site: Site, fields: Fields, body: bytes) -> None:
    assert_refused(await post_body(site, body, fields))


async def test_a_post_that_breaks_off_is_refused(site: Site) -> None:
    assert_refused(await post_body(site, b"logout_token=x", breaks_off=True))


@pytest.mark.parametrize("failing", ["put", "end_indexed", "*"])
async def test_a_logout_that_the_store_failed_succeeds_when_the_provider_sends_it_again(
    site: Site, failing: str
) -> None:
    browser = await sign_in(site)
    token = logout_token(site)
    site.store.failing.add(failing)
    assert_refused(await post(site, token))
    assert site.count("backchannel_logouts", "unavailable") == 1
    site.store.failing.clear()
    assert (await post(site, token)).status == 200
    assert not await is_logged_in(browser)
    assert_refused(await post(site, token))
    assert site.count("backchannel_logouts", "refused") == 1


@pytest.mark.parametrize("method", ["acquire", "put", "end_indexed"])
async def test_an_answer_of_the_store_that_is_lost_loses_no_logout(
    site: Site, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    browser = await sign_in(site)
    made: Callable[..., Awaitable[object]] = getattr(site.store._inner, method)

    async def lose(*arguments: object, **named: object) -> None:
        await made(*arguments, **named)
        raise StoreUnavailable("store.timeout")

    monkeypatch.setattr(site.store, method, lose, raising=False)
    token = logout_token(site)
    first = await post(site, token)
    assert not await is_logged_in(browser)
    monkeypatch.undo()
    assert first.status == 200 or (await post(site, token)).status == 200
    assert_refused(await post(site, token))


async def test_a_token_that_cannot_be_checked_for_replay_still_ends_the_sessions(site: Site) -> None:
    browser = await sign_in(site)
    site.store.failing.add("acquire")
    assert (await post(site, logout_token(site))).status == 200
    assert not await is_logged_in(browser)


async def test_a_store_that_keeps_nothing_new_still_ends_the_sessions_and_is_a_failure(site: Site) -> None:
    """As a server whose memory is full: a login under way could not be forestalled."""
    browser = await sign_in(site)
    site.store.failing |= {"acquire", "put"}
    assert_refused(await post(site, logout_token(site)))
    assert not await is_logged_in(browser)
    assert site.count("sessions_ended", "backchannel_logout") == 1


async def test_a_token_whose_use_cannot_be_noted_has_done_its_work(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = await sign_in(site)

    async def fail(_token_id: str, _lifetime: float) -> None:
        raise StoreUnavailable("store.timeout")

    monkeypatch.setattr(site.gateway.sessions, "use_up_token_id", fail)
    assert (await post(site, logout_token(site))).status == 200
    assert not await is_logged_in(browser)


async def test_a_store_that_is_back_in_a_moment_is_waited_for(site: Site) -> None:
    browser = await sign_in(site)
    site.store.failing.add("put")
    asyncio.get_running_loop().call_later(1, site.store.failing.clear)
    assert (await post(site, logout_token(site))).status == 200
    assert not await is_logged_in(browser)


async def test_a_provider_whose_keys_cannot_be_had_is_a_failure(site: Site) -> None:
    site.gateway.provider._discovery.keys._document = None
    site.provider.overrides["/jwks"] = lambda _: httpx2.Response(500)
    assert_refused(await post(site, logout_token(site)))
    assert site.count("backchannel_logouts", "unavailable") == 1


async def test_even_what_nobody_foresaw_is_400(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_token: str) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(site.gateway.provider, "logout_token", fail)
    assert_refused(await post(site, "x"))


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
async def test_it_takes_a_post(site: Site, method: str) -> None:
    answer = await site.call(method, "/bff/backchannel-logout")
    assert (answer.status, answer["allow"]) == (405, "POST")
