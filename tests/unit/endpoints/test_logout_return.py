"""The way back from the provider's logout, with our `state`, with another, with none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import anyio
import pytest

from bff.endpoints.logout_return import RETURN_MAX_AGE
from tests.support.gateway_browser import Browser, Site, running_site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    (tmp_path / "index.html").write_text("<title>The page</title>")
    async with running_site(static_dir=str(tmp_path), post_logout_path="/goodbye?from=logout") as running:
        yield running


async def log_out(browser: Browser) -> dict[str, str]:
    """Log in and out; return what goes to the provider."""
    await browser.sign_in()
    answer = await browser.fetch("POST", "/bff/logout", fields=[("Accept", "application/json")])
    return dict(parse_qsl(urlsplit(answer.json["logout_url"]).query))


async def test_the_state_that_was_sent_is_taken_out_of_the_address(browser: Browser) -> None:
    sent = await log_out(browser)
    assert sent["post_logout_redirect_uri"] == "https://app.example.com/goodbye?from=logout"
    answer = await browser.navigate(f"/goodbye?from=logout&state={sent['state']}", site="cross-site")
    assert (answer.status, answer["location"]) == (303, "/goodbye?from=logout")
    assert (await browser.navigate(answer["location"])).status == 200


@pytest.mark.parametrize("query", ["from=logout", "from=logout&state=", "from=logout&state=another", "state=a&state=b"])
async def test_another_state_or_none_does_no_harm(browser: Browser, query: str) -> None:
    await log_out(browser)
    answer = await browser.navigate(f"/goodbye?{query}", site="cross-site")
    assert answer.status == 200
    assert "The page" in answer.text
    assert (await browser.session())["authenticated"] is False


async def test_a_changed_or_an_old_state_is_the_applications_affair(browser: Browser) -> None:
    state = (await log_out(browser))["state"]
    changed = state[:-1] + ("A" if state[-1] != "A" else "E")
    assert (await browser.navigate(f"/goodbye?state={changed}")).status == 200
    await anyio.sleep(RETURN_MAX_AGE + 1)
    assert (await browser.navigate(f"/goodbye?state={state}")).status == 200


async def test_a_login_and_a_logout_do_not_take_each_others_state(browser: Browser) -> None:
    state = (await browser.begin())["state"]
    assert (await browser.navigate(f"/goodbye?state={state}")).status == 200
    sent = await log_out(browser)
    assert (await browser.navigate(f"/bff/callback?code=c&state={sent['state']}")).status == 400


async def test_no_other_place_is_looked_at(browser: Browser) -> None:
    state = (await log_out(browser))["state"]
    assert (await browser.navigate(f"/elsewhere?state={state}")).status == 200
