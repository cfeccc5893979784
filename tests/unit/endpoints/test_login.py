"""The start of a login: who may begin one, what is asked of the provider, and what the browser is given to keep."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import httpx2
import pytest

from bff.endpoints.pending_logins import MOST_BYTES, MOST_PENDING
from tests.support.asgi_call import Answer, Fields
from tests.support.gateway_browser import LOGIN_COOKIE_PREFIX, Browser, Site, running_site
from tests.support.signed_tokens import CLIENT_ID, ISSUER

DATA = Path(__file__).parents[2] / "data"
NAVIGATE = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
FORM = ("Content-Type", "application/x-www-form-urlencoded")


def corpus(name: str) -> list[str]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def parameters(answer: Answer) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(answer["location"]).query, keep_blank_values=True)
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


async def test_a_login_is_code_flow_with_pkce_state_and_nonce(browser: Browser) -> None:
    request = await browser.begin()
    assert request["response_type"] == "code"
    assert request["client_id"] == CLIENT_ID
    assert request["redirect_uri"] == "https://app.example.com/bff/callback"
    assert request["code_challenge_method"] == "S256"
    assert len(request["code_challenge"]) == len(request["nonce"]) == 43
    assert len(browser.login_cookies) == 1


async def test_nothing_is_written_to_the_store_for_an_anonymous_visitor(browser: Browser, site: Site) -> None:
    site.store.calls.clear()
    await browser.begin()
    assert site.store.calls == []


async def test_the_login_cookie_is_lax_sealed_and_lasts_ten_minutes(site: Site) -> None:
    answer = await site.call("GET", "/bff/login?return_to=/secret-place", NAVIGATE)
    line = answer["set-cookie"]
    name, _, rest = line.partition("=")
    assert name.startswith(LOGIN_COOKIE_PREFIX)
    assert rest.endswith("; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600")
    assert "secret-place" not in line
    assert parameters(answer)["nonce"] not in line
    assert answer["cache-control"] == "no-store"


@pytest.mark.parametrize("value", corpus("return_to_accepted.txt"))
async def test_the_browser_returns_to_a_path_of_this_origin(browser: Browser, value: str) -> None:
    answer = await browser.sign_in(f"?return_to={quote(value, safe='')}")
    is_call = value == "/api"
    assert answer["location"] == ("/" if is_call else value)


async def test_no_value_leads_to_another_origin(site: Site) -> None:
    accepted = set(corpus("return_to_accepted.txt"))
    for value in corpus("return_to.txt"):
        if value in accepted:
            continue
        query = quote(value.encode("utf-8", "surrogatepass"), safe="")
        answer = await site.call("GET", f"/bff/login?return_to={query}", NAVIGATE)
        if answer.status == 400:
            continue
        browser = site.browser()
        for line in answer.all("set-cookie"):
            browser._keep(line)
        onward = await browser.finish(parameters(answer))
        assert onward["location"] == "/", value


async def test_a_return_path_cannot_add_parameters_to_the_request(browser: Browser) -> None:
    request = await browser.begin("?return_to=/x%26scope%3Devil%26prompt%3Dnone")
    assert request["scope"] == "openid profile email offline_access"
    assert "prompt" not in request


async def test_a_return_path_too_long_for_a_cookie_is_dropped_not_cut(browser: Browser) -> None:
    return_to = "/" + "a" * 2000
    answer = await browser.sign_in(f"?return_to={return_to}&acr_values={'b' * 1000}")
    assert answer["location"] == "/"
    assert (await browser.sign_in(f"?return_to={return_to}"))["location"] == return_to


async def test_listed_parameters_are_passed_on_and_all_others_ignored(browser: Browser) -> None:
    request = await browser.begin(
        "?login_hint=ann%40example.com&ui_locales=de&prompt=login&acr_values=gold&max_age=60"
        "&scope=evil&redirect_uri=https://evil.example&client_id=evil&state=evil&nonce=evil&claims=x&foo=bar"
    )
    assert request["login_hint"] == "ann@example.com"
    assert (request["ui_locales"], request["prompt"]) == ("de", "login")
    assert (request["acr_values"], request["max_age"]) == ("gold", "60")
    assert (request["client_id"], request["redirect_uri"]) == (CLIENT_ID, "https://app.example.com/bff/callback")
    assert not request.keys() & {"foo", "claims"}
    assert "evil" not in request.values()


async def test_the_operator_decides_which_parameters_are_passed_on() -> None:
    async with running_site(login_params="screen_hint") as site:
        request = await site.browser().begin("?screen_hint=signup&login_hint=ann&max_age=x")
        assert request["screen_hint"] == "signup"
        assert not request.keys() & {"login_hint", "max_age"}


async def test_an_empty_parameter_is_as_good_as_none(browser: Browser) -> None:
    assert "prompt" not in await browser.begin("?prompt=&max_age=")


@pytest.mark.parametrize(
    "query",
    [
        "prompt=login&prompt=none",
        "return_to=/a&return_to=/b",
        "max_age=x",
        "max_age=-1",
        "max_age=1.5",
        "max_age=9999999999",
        "login_hint=" + "a" * 1025,
        "login_hint=%00",
        "login_hint=%0d%0a",
        "login_hint=%ff",
        "login_hint=%",
        "a=" + "b" * 20_000,
    ],
)
async def test_malformed_and_repeated_parameters_are_refused(browser: Browser, query: str) -> None:
    answer = await browser.navigate(f"/bff/login?{query}")
    assert answer.status == 400
    assert "bad_request" in answer.text
    assert answer.all("set-cookie") == []


@pytest.mark.parametrize(
    "fields",
    [
        [("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")],
        [("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")],
        [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")],
        [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "embed")],
        [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Mode", "cors")],
        [*NAVIGATE, ("Sec-Purpose", "prefetch")],
        [*NAVIGATE, ("Sec-Purpose", "prefetch;prerender")],
        [*NAVIGATE, ("Purpose", "prefetch")],
        [*NAVIGATE, ("X-Moz", "Prefetch")],
        [("Sec-Fetch-Mode", "cors"), ("X-CSRF", "1")],
        [("X-Requested-With", "XMLHttpRequest")],
    ],
)
async def test_scripts_frames_and_guesses_ahead_begin_no_login(site: Site, fields: Fields) -> None:
    answer = await site.call("GET", "/bff/login", fields)
    assert answer.status == 400
    assert answer.get("location") is None
    assert answer.all("set-cookie") == []
    assert site.provider.calls["/par"] == 0


@pytest.mark.parametrize(
    "fields",
    [
        [],
        NAVIGATE,
        [("Sec-Fetch-Mode", "navigate")],
        [("Accept", "text/html")],
        [("Accept", "*/*")],
        [("Accept", "application/json"), ("X-CSRF", "1")],
    ],
)
async def test_navigations_begin_one_with_fetch_metadata_and_without(site: Site, fields: Fields) -> None:
    assert (await site.call("GET", "/bff/login", fields)).status == 302


@pytest.mark.parametrize("method", ["HEAD", "PUT", "OPTIONS"])
async def test_other_methods_begin_none(site: Site, method: str) -> None:
    answer = await site.call(method, "/bff/login", NAVIGATE)
    assert (answer.status, answer["allow"]) == (405, "GET, POST")


class TestInitiatedByAThirdParty:
    async def test_with_our_issuer_it_begins_a_login(self, browser: Browser) -> None:
        query = f"?iss={quote(ISSUER)}&login_hint=ann&target_link_uri={quote('https://app.example.com/a?b')}"
        request = await browser.begin(query, site="cross-site")
        assert request["login_hint"] == "ann"
        assert (await browser.finish(request))["location"] == "/a?b"

    async def test_by_post_it_is_redirected_with_303(self, browser: Browser) -> None:
        body = f"iss={quote(ISSUER)}&login_hint=ann".encode()
        answer = await browser.navigate("/bff/login", method="POST", body=body, site="cross-site", fields=[FORM])
        assert answer.status == 303
        assert parameters(answer)["login_hint"] == "ann"

    @pytest.mark.parametrize("issuer", ["https://evil.example", ISSUER + "/", ISSUER.upper(), ""])
    async def test_with_another_issuer_it_is_refused(self, browser: Browser, issuer: str) -> None:
        assert (await browser.navigate(f"/bff/login?iss={quote(issuer)}")).status == 400

    @pytest.mark.parametrize(
        "target",
        [
            "https://evil.example/", "https://app.example.com.evil.example/", "https://app.example.com@evil.example/",
            "https://app.example.com:444/", "//evil.example", "/\\evil.example", "javascript:1",
            "http://app.example.com/",            "https://app.example.com//evil.example", "https://app.example.com/bff/login",
        ],
    )  # fmt: skip
    async def test_a_target_elsewhere_is_dropped(self, browser: Browser, target: str) -> None:
        query = f"?iss={quote(ISSUER)}&target_link_uri={quote(target, safe='')}"
        assert (await browser.sign_in(query))["location"] == "/"

    async def test_a_target_of_our_bare_origin_is_the_start_page(self, browser: Browser) -> None:
        query = f"?iss={quote(ISSUER)}&target_link_uri=https://app.example.com"
        assert (await browser.sign_in(query))["location"] == "/"

    async def test_a_target_without_an_issuer_is_ignored(self, browser: Browser) -> None:
        assert (await browser.sign_in("?target_link_uri=/elsewhere"))["location"] == "/"

    @pytest.mark.parametrize(
        ("fields", "body", "status"),
        [
            ([FORM], b"login_hint=ann", 400),
            ([FORM], f"iss={ISSUER}&iss={ISSUER}".encode(), 400),
            ([("Content-Type", "text/plain")], f"iss={ISSUER}".encode(), 400),
            ([], f"iss={ISSUER}".encode(), 400),
            ([FORM], b"a" * 20_000, 413),
        ],
    )
    async def test_a_malformed_post_is_refused(
        self, browser: Browser, fields: Fields, body: bytes, status: int
    ) -> None:
        answer = await browser.navigate("/bff/login", method="POST", body=body, fields=fields)
        assert answer.status == status

    async def test_a_script_cannot_post_one(self, browser: Browser) -> None:
        answer = await browser.fetch("POST", "/bff/login", body=f"iss={ISSUER}".encode(), fields=[FORM])
        assert answer.status == 400


class TestManyLogins:
    async def test_a_few_wait_and_the_oldest_gives_way(self, browser: Browser) -> None:
        requests = []
        for _ in range(MOST_PENDING + 2):
            requests.append(await browser.begin())
            await asyncio.sleep(1)
        assert len(browser.login_cookies) == MOST_PENDING
        assert (await browser.finish(requests[1])).status == 400
        assert (await browser.finish(requests[2])).status == 303

    async def test_a_hundred_stay_within_the_space_set_aside(self, browser: Browser) -> None:
        for number in range(100):
            await browser.begin(f"?return_to=/{'a' * (number * 20)}")
            total = sum(len(name) + len(value) + 3 for name, (value, _) in browser.cookies.items())
            assert total <= MOST_BYTES
            assert 1 <= len(browser.login_cookies) <= MOST_PENDING

    async def test_cookies_that_cannot_be_opened_or_are_too_old_go_first(self, browser: Browser) -> None:
        names = [f"{LOGIN_COOKIE_PREFIX}{digit * 16}" for digit in "0123"]
        kept = await browser.begin()
        for name, value in zip(names, ["", "garbage", "A" * 100, "\xff"], strict=True):
            browser.cookies[name] = (value, "Lax")
        await browser.begin()
        assert not set(names) & set(browser.login_cookies)
        assert (await browser.finish(kept)).status == 303

    async def test_a_login_sent_twice_counts_as_unreadable(self, browser: Browser, site: Site) -> None:
        request = await browser.begin()
        ((name, (value, _)),) = browser.cookies.items()
        fields = [*NAVIGATE, ("Cookie", f"{name}={value}; {name}={value}")]
        answer = await site.call("GET", f"/bff/callback?code=1&state={request['state']}", fields)
        assert answer.status == 400

    async def test_a_login_cookie_under_another_name_does_not_open(self, browser: Browser) -> None:
        first, second = await browser.begin(), await browser.begin()
        names = browser.login_cookies
        browser.cookies[names[0]], browser.cookies[names[1]] = browser.cookies[names[1]], browser.cookies[names[0]]
        assert (await browser.finish(first)).status == 400
        assert (await browser.finish(second)).status == 400


class TestProviderDown:
    async def test_gets_a_page_with_a_way_to_try_again(self) -> None:
        async with running_site() as site:
            site.provider.overrides["/.well-known/openid-configuration"] = lambda _: httpx2.Response(503)
            browser = site.browser()
            answer = await browser.navigate("/bff/login?return_to=/timesheets")
            assert (answer.status, answer["retry-after"]) == (503, "5")
            assert 'href="/bff/login?return_to=/timesheets"' in answer.text
            assert browser.cookies == {}

    async def test_is_problem_details_for_anything_but_a_navigation(self) -> None:
        async with running_site() as site:
            site.provider.overrides["/.well-known/openid-configuration"] = lambda _: httpx2.Response(503)
            answer = await site.call("GET", "/bff/login")
            assert answer.status == 503
            assert answer.json["code"] == "provider_unavailable"


async def test_a_pushed_request_shows_the_browser_its_reference_alone() -> None:
    async with running_site(par="require") as site:
        endpoint = f"{ISSUER}/par"
        site.provider.metadata["pushed_authorization_request_endpoint"] = endpoint
        answer = await site.call("GET", "/bff/login?login_hint=ann", NAVIGATE)
        assert parameters(answer) == {"client_id": CLIENT_ID, "request_uri": "urn:example:pushed"}


async def test_parameters_of_every_login_go_with_every_login() -> None:
    async with running_site(authorization_params="access_type=offline&prompt=consent") as site:
        request = await site.browser().begin("?access_type=online")
        assert (request["access_type"], request["prompt"]) == ("offline", "consent")


async def test_a_link_may_say_otherwise_where_it_may_say_anything() -> None:
    async with running_site(authorization_params="prompt=consent&hd=example.com") as site:
        request = await site.browser().begin("?prompt=select_account&hd=evil.example")
        assert (request["prompt"], request["hd"]) == ("select_account", "example.com")


async def test_a_maximum_age_of_every_login_is_verified() -> None:
    async with running_site(authorization_params="max_age=60") as site:
        browser = site.browser()
        assert (await browser.begin())["max_age"] == "60"
        site.provider.id_token_changes = {"auth_time": int(site.provider.clock()) - 600}
        assert (await browser.finish(await browser.begin())).status == 400
        site.provider.id_token_changes = {"auth_time": int(site.provider.clock())}
        assert (await browser.finish(await browser.begin())).status == 303


async def test_each_login_draws_a_key_of_its_own_where_tokens_are_bound() -> None:
    async with running_site(dpop="require") as site:
        keys = [(await site.browser().begin())["dpop_jkt"] for _ in range(3)]
        assert len(set(keys)) == 3
        browser = site.browser()
        await browser.begin()
        assert all(len(line) < 1000 for line in browser.login_cookies)
    async with running_site() as site:
        assert "dpop_jkt" not in await site.browser().begin()
