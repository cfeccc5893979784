"""`form_post`: the provider's page posts its answer, without our cookies, and ours posts it again, with them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest

from tests.support.asgi_call import Answer
from tests.support.gateway_browser import Browser, Site, running_site
from tests.support.signed_tokens import ISSUER

FORM = (("Content-Type", "application/x-www-form-urlencoded"),)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running_site(response_mode="form_post") as running:
        yield running


async def post(browser: Browser, body: str | bytes, *, site: str) -> Answer:
    content = body if isinstance(body, bytes) else body.encode()
    return await browser.navigate("/bff/callback", method="POST", site=site, body=content, fields=FORM)


def form_of(answer: Answer) -> str:
    """Return what the page posts when its button is pressed, or by itself."""
    (action,) = re.findall(r'<form method="post" action="([^"]+)">', answer.text)
    assert action == "/bff/callback"
    return urlencode(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', answer.text))


def answer_to(request: dict[str, str], **changes: str) -> str:
    return urlencode({"code": request["nonce"], "state": request["state"], "iss": ISSUER, **changes})


async def test_the_provider_is_asked_to_post(browser: Browser) -> None:
    assert (await browser.begin())["response_mode"] == "form_post"


async def test_a_posted_answer_is_repeated_from_our_own_origin_and_then_is_a_login(
    browser: Browser, site: Site
) -> None:
    request = await browser.begin("?return_to=/timesheets")
    first = await post(browser, answer_to(request), site="cross-site")
    assert (first.status, first.all("set-cookie")) == (200, [])
    assert site.provider.forms("/token") == []
    second = await post(browser, form_of(first), site="same-origin")
    assert (second.status, second["location"]) == (303, "/timesheets")
    assert (await browser.session())["authenticated"] is True
    assert browser.login_cookies == []
    assert site.count("logins", "succeeded") == 1


async def test_the_page_runs_its_own_script_alone_shows_nothing_that_was_posted_and_is_not_kept(
    browser: Browser, site: Site
) -> None:
    request = await browser.begin()
    page = await post(browser, answer_to(request, user="<script>x</script>"), site="cross-site")
    (script,) = re.findall(r"<script>(.*?)</script>", page.text)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = page["content-security-policy"]
    assert f"script-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<button>" in page.text, "without scripts a person goes on"
    assert page["cache-control"] == "no-store"
    assert page["referrer-policy"] == "no-referrer"
    for secret in (request["nonce"], request["state"], "user"):
        assert secret not in page.text
    assert "set" not in {name.split("_")[0] for name in site.store.calls}, "nothing is stored"


@pytest.mark.parametrize("query", ["return_to=/api/erase?all=1", "return_to=/api", "prompt=none&return_to=/api/erase"])
async def test_no_login_that_another_site_begins_ends_in_a_call_with_the_users_token(query: str) -> None:
    async with running_site(response_mode="form_post", upstream_url="https://api.example/v1") as site:
        browser = site.browser()
        request = await browser.begin(f"?{query}", site="cross-site")
        page = await post(browser, answer_to(request), site="cross-site")
        answer = await post(browser, form_of(page), site="same-origin")
        # What follows is a navigation of our own origin, with the session's cookie.
        assert (answer.status, answer["location"]) == (303, "/")


async def test_a_login_may_end_at_a_page_of_a_route_without_tokens_or_beside_a_route() -> None:
    routes = '[{"prefix":"/docs","upstream":"https://docs.example","token":"none"}]'
    async with running_site(response_mode="form_post", routes=routes) as site:
        for target in ("/docs/start", "/apis", "/docsx"):
            assert (await site.browser().sign_in(f"?return_to={target}"))["location"] == target


async def test_where_the_cookies_come_along_at_once_nothing_is_repeated(browser: Browser) -> None:
    request = await browser.begin()
    answer = await post(browser, answer_to(request), site="same-site")
    assert answer.status == 303


async def test_the_session_that_is_presented_with_the_repetition_ends(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    first = await post(browser, answer_to(await browser.begin()), site="cross-site")
    await post(browser, form_of(first), site="same-origin")
    again = await post(browser, answer_to(request), site="cross-site")
    await post(browser, form_of(again), site="same-origin")
    assert site.session_count() == 1


async def test_the_answer_to_another_browsers_login_is_repeated_once_and_no_more(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    other = site.browser()
    first = await post(other, answer_to(request), site="cross-site")
    second = await post(other, form_of(first), site="same-origin")
    assert second.status == 400
    assert "/bff/login/resume" in second.text
    assert site.provider.forms("/token") == []
    assert site.count("logins", "stray") == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("code=c&state=forged", "callback.state_forged"),
        ("code=c", "callback.malformed"),
        ("state=a&state=b", "callback.malformed"),
        ("repeated=AAAA", "callback.repeated_format"),
        ("repeated=a&repeated=b", "callback.malformed"),
        (b"\xff", "callback.malformed"),
    ],
)
async def test_no_page_repeats_what_is_no_answer_to_a_login(
    browser: Browser, site: Site, body: str | bytes, reason: str
) -> None:
    answer = await post(browser, body, site="cross-site")
    assert answer.status == 400
    assert "<form" not in answer.text
    assert site.store.calls == []


async def test_what_is_sealed_for_one_gateway_is_nothing_to_another(browser: Browser, site: Site) -> None:
    page = await post(browser, answer_to(await browser.begin()), site="cross-site")
    async with running_site(response_mode="form_post") as another:
        answer = await post(another.browser(), form_of(page), site="same-origin")
        assert answer.status == 400
        assert another.store.calls == []


async def test_a_refusal_that_is_posted_is_told(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    refusal = urlencode({"error": "access_denied", "state": request["state"], "iss": ISSUER})
    page = await post(browser, refusal, site="cross-site")
    answer = await post(browser, form_of(page), site="same-origin")
    assert answer.status == 400
    assert "access was denied" in answer.text
    assert site.count("logins", "refused") == 1


async def test_an_answer_that_comes_in_the_query_all_the_same_is_taken(browser: Browser) -> None:
    """Errors often do; the login is as bound to the browser as ever."""
    assert (await browser.finish(await browser.begin())).status == 303


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", None])
async def test_only_a_form_is_read(browser: Browser, content_type: str | None) -> None:
    fields = [] if content_type is None else [("Content-Type", content_type)]
    answer = await browser.navigate("/bff/callback", method="POST", site="cross-site", body=b"a=b", fields=fields)
    assert answer.status == 400


async def test_where_answers_come_in_the_query_no_post_is_taken() -> None:
    async with running_site() as site:
        answer = await post(site.browser(), "code=c&state=s", site="cross-site")
        assert answer.status == 405
