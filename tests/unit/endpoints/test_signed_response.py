"""`jwt` (JARM): the provider's answer to a login counts only as it was signed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.asgi_call import Answer
from tests.support.gateway_browser import Browser, Site, running_site
from tests.support.signed_tokens import CLIENT_ID, ISSUER, encrypted, rsa_key, sign
from tests.support.virtual_time import clock


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running_site(response_mode="jwt") as running:
        yield running


def response(site: Site, request: dict[str, str], **changes: Any) -> str:
    claims = {
        "iss": ISSUER,
        "aud": CLIENT_ID,
        "exp": int(clock()) + 60,
        "code": request["nonce"],
        "state": request["state"],
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not ...}
    return sign(claims, key=site.provider.signing_key, kid=site.provider.kid)


async def come_back(browser: Browser, **parameters: str) -> Answer:
    return await browser.navigate(f"/bff/callback?{urlencode(parameters)}", site="cross-site")


async def test_a_signed_answer_is_a_login(browser: Browser, site: Site) -> None:
    request = await browser.begin("?return_to=/timesheets")
    assert request["response_mode"] == "jwt"
    answer = await come_back(browser, response=response(site, request))
    assert (answer.status, answer["location"]) == (303, "/timesheets")
    assert (await browser.session())["authenticated"] is True


@pytest.mark.parametrize("second, status", [(ISSUER, 303), ("https://evil.example", 400)])
async def test_a_claim_may_come_twice_if_it_says_the_same_as_keycloaks_issuer_does(
    browser: Browser, site: Site, second: str, status: int
) -> None:
    request = await browser.begin()
    claims = {"aud": CLIENT_ID, "exp": int(clock()) + 60, "code": request["nonce"], "state": request["state"]}
    twice = f'{{"iss": "{ISSUER}", "iss": "{second}", {json.dumps(claims)[1:]}'
    signed = sign(twice.encode(), key=site.provider.signing_key, kid=site.provider.kid)
    assert (await come_back(browser, response=signed)).status == status


async def test_an_encrypted_answer_is_refused_by_its_name(
    browser: Browser, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    request = await browser.begin()
    answer = await come_back(browser, response=encrypted(response(site, request)))
    assert answer.status == 400
    assert [vars(record)["event_fields"]["reason"] for record in caplog.records[-1:]] == ["response.encrypted"]
    assert site.count("logins", "failed") == 1
    assert site.provider.forms("/token") == []


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c.d", "a.b.c.d.e", "....", "a.b.c"])
async def test_what_is_no_signed_answer_belongs_to_no_login(browser: Browser, site: Site, token: str) -> None:
    await browser.begin()
    assert (await come_back(browser, response=token)).status == 400
    assert site.count("logins", "failed") == 1
    assert site.provider.forms("/token") == []


async def test_an_answer_signed_with_a_new_key_is_verified_with_the_new_key(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    site.provider.rotate_key(1, kid="new")
    assert (await come_back(browser, response=response(site, request))).status == 303


async def test_a_signed_refusal_is_told_and_the_login_is_over(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    answer = await come_back(browser, response=response(site, request, code=..., error="access_denied"))
    assert answer.status == 400
    assert "access was denied" in answer.text
    assert browser.login_cookies == []
    assert site.count("logins", "refused") == 1


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://evil.example"}, "response.issuer"),
    "no issuer": ({"iss": ...}, "response.issuer"),
    "another client's": ({"aud": "another"}, "response.audience"),
    "for others too": ({"aud": [CLIENT_ID, "another"]}, "response.audience"),
    "nobody's": ({"aud": ...}, "response.audience"),
    "expired": ({"exp": 1}, "response.expired"),
    "never expiring": ({"exp": ...}, "response.exp"),
    "not valid yet": ({"nbf": 4e9}, "response.nbf"),
    "a code that is no text": ({"code": 7}, "response.code"),
    "an error that is no text": ({"code": ..., "error": {}}, "response.error"),
    "code and error": ({"error": "access_denied"}, "callback.code_with_error"),
    "neither": ({"code": ...}, "callback.code_missing"),
    "tokens": ({"access_token": "x"}, "callback.foreign_answer"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_signed_answer_is_refused_if_it_is(
    browser: Browser, site: Site, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    changes, reason = BAD[case]
    answer = await come_back(browser, response=response(site, await browser.begin(), **changes))
    await refused(browser, site, answer, reason, caplog)


async def test_a_forged_signature_is_refused(browser: Browser, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    request = await browser.begin()
    claims = {"iss": ISSUER, "aud": CLIENT_ID, "exp": clock() + 60, "code": "c", "state": request["state"]}
    forged = sign(claims, key=rsa_key(7), kid=site.provider.kid)
    await refused(browser, site, await come_back(browser, response=forged), "response.signature", caplog)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "PS256"])
async def test_an_algorithm_that_the_metadata_do_not_list_is_refused(
    browser: Browser, site: Site, algorithm: str, caplog: pytest.LogCaptureFixture
) -> None:
    request = await browser.begin()
    claims = {"iss": ISSUER, "aud": CLIENT_ID, "exp": clock() + 60, "code": "c", "state": request["state"]}
    forged = sign(claims, key=site.provider.signing_key, header={"alg": algorithm, "kid": site.provider.kid})
    await refused(browser, site, await come_back(browser, response=forged), "response.algorithm", caplog)


async def test_the_algorithms_are_those_of_the_metadata() -> None:
    async with running_site(response_mode="jwt") as site:
        site.provider.metadata["authorization_signing_alg_values_supported"] = ["none", "PS256"]
        browser = site.browser()
        request = await browser.begin()
        claims = {"iss": ISSUER, "aud": CLIENT_ID, "exp": clock() + 60, "code": "c", "state": request["state"]}
        key, kid = site.provider.signing_key, site.provider.kid
        honest = sign({**claims, "code": request["nonce"]}, key=key, kid=kid, algorithm="PS256")
        assert (await come_back(browser, response=honest)).status == 303


@pytest.mark.parametrize("beside", [{}, {"response": "x.y.z"}])
async def test_an_answer_that_is_not_signed_is_refused(browser: Browser, site: Site, beside: dict[str, str]) -> None:
    request = await browser.begin()
    answer = await come_back(browser, code=request["nonce"], state=request["state"], iss=ISSUER, **beside)
    assert answer.status == 400
    assert site.provider.forms("/token") == []
    assert len(browser.login_cookies) == 1, "the login is still good for the true answer"


@pytest.mark.parametrize("beside", ["code", "state", "error", "error_description"])
async def test_what_is_said_beside_a_signed_answer_makes_it_none(browser: Browser, site: Site, beside: str) -> None:
    request = await browser.begin()
    answer = await come_back(browser, response=response(site, request), **{beside: request["state"]})
    assert answer.status == 400
    assert site.provider.forms("/token") == []


async def test_the_signed_answer_to_another_browsers_login_goes_nowhere(browser: Browser, site: Site) -> None:
    request = await browser.begin()
    other = site.browser()
    answer = await come_back(other, response=response(site, request))
    assert answer.status == 400
    assert site.provider.forms("/token") == []


async def test_a_signed_answer_that_comes_in_plain_mode_is_refused() -> None:
    async with running_site() as site:
        browser = site.browser()
        request = await browser.begin()
        answer = await come_back(browser, response=response(site, request))
        assert answer.status == 400
        assert site.provider.forms("/token") == []


async def test_a_signed_answer_can_be_posted() -> None:
    async with running_site(response_mode="form_post.jwt") as site:
        browser = site.browser()
        request = await browser.begin()
        assert request["response_mode"] == "form_post.jwt"
        body = urlencode({"response": response(site, request)}).encode()
        form = [("Content-Type", "application/x-www-form-urlencoded")]
        page = await browser.navigate("/bff/callback", method="POST", site="cross-site", body=body, fields=form)
        assert page.status == 200
        answer = await browser.navigate("/bff/callback", method="POST", site="same-origin", body=body, fields=form)
        assert answer.status == 303


async def test_a_plain_oauth_client_verifies_signed_answers_too() -> None:
    async with running_site(response_mode="jwt", scopes="read") as site:
        browser = site.browser()
        request = await browser.begin()
        assert "nonce" not in request
        code = response(site, {**request, "nonce": "c"})
        assert (await come_back(browser, response=code)).status == 303


async def refused(browser: Browser, site: Site, answer: Answer, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    assert answer.status == 400
    fields = [vars(record)["event_fields"] for record in caplog.records if record.message == "request.refused"]
    assert [one["reason"] for one in fields] == [reason]
    assert site.provider.forms("/token") == []
    assert (await browser.session())["authenticated"] is False
