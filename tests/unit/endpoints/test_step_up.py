"""A stronger login on top of one that exists: reached or refused, and never at the cost of the session."""

from __future__ import annotations

import asyncio

from tests.support.gateway_browser import Browser, Site
from tests.support.provider_double import answer as provider_answer
from tests.support.signed_tokens import ISSUER

GOLD = "&acr_values=gold%20platinum&max_age=60"


async def test_a_login_of_the_strength_asked_for_replaces_the_session_and_goes_back_to_its_page(
    browser: Browser, site: Site
) -> None:
    await browser.sign_in()
    before = browser.session_cookie
    site.provider.id_token_changes = {"acr": "gold", "auth_time": int(site.provider.clock())}
    request = await browser.begin(f"?return_to=/sheets%3Fweek%3D7{GOLD}")
    assert (request["acr_values"], request["max_age"]) == ("gold platinum", "60")
    answer = await browser.finish(request)
    assert (answer.status, answer["location"]) == (303, "/sheets?week=7")
    assert browser.session_cookie != before
    assert site.session_count() == 1


async def test_a_login_that_is_weaker_than_asked_for_leaves_the_session_and_its_tokens_as_they_are(
    browser: Browser, site: Site
) -> None:
    await browser.sign_in()
    before = browser.session_cookie
    site.provider.id_token_changes = {"acr": "bronze", "auth_time": int(site.provider.clock())}
    answer = await browser.finish(await browser.begin(f"?return_to=/sheets{GOLD}"))
    assert answer.status == 400
    assert "The login did not reach the strength that was asked for." in answer.text
    # The way on asks for no more than a plain login: nothing goes round in circles by itself.
    assert "/bff/login?return_to=/sheets" in answer.text
    assert "acr_values" not in answer.text
    assert "http-equiv" not in answer.text
    assert browser.session_cookie == before
    assert (await browser.session())["authenticated"] is True
    await asyncio.sleep(1)
    assert site.provider.revoked == []
    assert site.count("logins", "refused") == 1


async def test_a_provider_that_cannot_reach_the_strength_ends_the_attempt(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    request = await browser.begin(f"?return_to=/sheets{GOLD}")
    query = f"error=unmet_authentication_requirements&state={request['state']}&iss={ISSUER}"
    answer = await browser.navigate(f"/bff/callback?{query}", site="cross-site")
    assert answer.status == 400
    assert "The login did not reach the strength that was asked for." in answer.text
    assert (await browser.session())["authenticated"] is True


async def test_a_first_login_may_ask_for_a_context_without_depending_on_it(browser: Browser, site: Site) -> None:
    """It is a voluntary claim (OpenID Connect Core section 3.1.2.1); who needs it judges every call by it."""
    site.provider.id_token_changes = {"acr": "bronze"}
    answer = await browser.finish(await browser.begin("?acr_values=gold"))
    assert answer.status == 303


async def test_an_age_asked_for_must_be_reached_at_a_first_login_too(browser: Browser, site: Site) -> None:
    site.provider.id_token_changes = {"auth_time": int(site.provider.clock()) - 3600}
    answer = await browser.finish(await browser.begin("?max_age=60"))
    assert answer.status == 400
    await asyncio.sleep(1)
    assert len(site.provider.revoked) == 2


async def test_who_authenticated_anew_may_take_minutes_for_the_rest_of_the_login(browser: Browser, site: Site) -> None:
    request = await browser.begin("?max_age=0")
    site.provider.id_token_changes = {"auth_time": int(site.provider.clock()) + 5}
    await asyncio.sleep(300)
    assert (await browser.finish(request)).status == 303


async def test_an_answer_without_a_code_is_no_step_up(browser: Browser, site: Site) -> None:
    await browser.sign_in()
    site.provider.overrides["/token"] = lambda _: provider_answer(400, error="invalid_grant")
    answer = await browser.finish(await browser.begin(f"?return_to=/{GOLD}"))
    assert answer.status == 400
    assert (await browser.session())["authenticated"] is True
