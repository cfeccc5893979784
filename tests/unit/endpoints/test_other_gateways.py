"""What belongs to one gateway is nothing to another, though they share the store, the secret keys and the cookie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.gateway_browser import Site, running_site

KEYS = "0123456789abcdef0123456789abcdef0123456789abcdef"
OTHERS = {
    "another issuer": {"issuer": "https://another-provider.example"},
    "another client": {"client_id": "another-app"},
    "another origin": {"public_url": "https://other.example.com"},
}

each_other = pytest.mark.parametrize("variables", OTHERS.values(), ids=OTHERS)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with running_site(secret_keys=KEYS) as running:
        yield running


async def test_another_instance_of_the_same_gateway_takes_session_and_login(site: Site) -> None:
    async with running_site(secret_keys=KEYS, beside=site) as other:
        browser = site.browser()
        request = await browser.begin()
        browser.site = other
        assert (await browser.finish(request)).status == 303
        browser.site = site
        assert (await browser.session())["authenticated"] is True


@each_other
async def test_a_session_is_nobody_at_a_gateway_of(site: Site, variables: dict[str, Any]) -> None:
    async with running_site(secret_keys=KEYS, beside=site, **variables) as other:
        browser = site.browser()
        await browser.sign_in()
        cookies = dict(browser.cookies)
        browser.site = other
        assert (await browser.session())["authenticated"] is False
        await browser.fetch("POST", "/bff/logout")
        browser.site, browser.cookies = site, cookies
        assert (await browser.session())["authenticated"] is True, "nor can it be ended there"


@each_other
async def test_a_login_does_not_end_at_a_gateway_of(site: Site, variables: dict[str, Any]) -> None:
    async with running_site(secret_keys=KEYS, beside=site, **variables) as other:
        browser = site.browser()
        request = await browser.begin()
        browser.site = other
        answer = await browser.finish(request, iss=variables.get("issuer", request.get("iss", "")))
        assert answer.status == 400
        assert other.provider.forms("/token") == []
        assert site.session_count() == 0
