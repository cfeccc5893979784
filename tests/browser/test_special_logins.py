"""Logins that come back by a form, show nothing, or replace another user's, with the cookies of a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.stack import LIST, Stack, finish_login, sign_in
from tests.support.browser_page import Page
from tests.support.chromium import Profile
from tests.support.markdown import page as documentation
from tests.support.processes import GatewayServer, reserve_port

(_SNIPPET,) = (
    block.text for block in documentation("docs/endpoints.md").blocks if "function silentLogin" in block.text
)
# As the page has it, but with patience for a slow machine.
SILENT_LOGIN = f"{_SNIPPET.replace('10000', '30000')}; silentLogin()"


@pytest.fixture(scope="module")
def posting_gateway(stack: Stack) -> Iterator[GatewayServer]:
    """A gateway whose provider, another site, posts its answers."""
    with stack.gateway(BFF_RESPONSE_MODE="form_post") as server:
        yield server


@pytest.fixture(scope="module")
def silent_gateway(stack: Stack) -> Iterator[GatewayServer]:
    """A gateway of the provider's site, so that the provider's cookies reach a frame."""
    port = reserve_port()
    with stack.gateway(public_url=f"http://127.0.0.1:{port}", port=port, BFF_SILENT_LOGIN="on") as server:
        yield server


def test_an_answer_that_the_providers_page_posts_is_a_login(profile: Profile, posting_gateway: GatewayServer) -> None:
    page = profile.open()
    sign_in(page, posting_gateway, place="/?show=approved")
    assert page.address() == f"{posting_gateway.public_url}/?show=approved"
    cookie = profile.cookie("bff")
    assert cookie is not None
    assert cookie["sameSite"] == "Strict"
    assert [one["name"] for one in profile.cookies() if one["name"].startswith("bff")] == ["bff"]


def test_a_refusal_that_the_providers_page_posts_is_told(profile: Profile, posting_gateway: GatewayServer) -> None:
    page = profile.open(posting_gateway.public_url)
    page.click("a", "Sign in")
    page.click("button", "Bob Baker")
    page.click("button", "Refuse")
    page.wait_for("access was denied")
    assert profile.cookie("bff") is None
    page.seen.complaints = [one for one in page.seen.complaints if "status of 400" not in one]


def test_a_silent_login_of_somebody_the_provider_does_not_know_comes_back_and_says_so(
    profile: Profile, gateway: GatewayServer
) -> None:
    page = profile.open(f"{gateway.public_url}/bff/login?prompt=none&return_to=/%3Fshow%3Dapproved")
    page.wait_for_address(f"{gateway.public_url}/?show=approved&login_error=login_required")
    page.wait_for("Sign in")


def test_a_silent_login_of_somebody_the_provider_knows_is_a_login(profile: Profile, gateway: GatewayServer) -> None:
    page = profile.open()
    sign_in(page, gateway)
    end_session_here(page)
    page.go(f"{gateway.public_url}/bff/login?prompt=none")
    page.wait_for(LIST)
    forgive_calls_without_session(page)


def test_in_a_frame_nobody_is_told_to_the_page(profile: Profile, silent_gateway: GatewayServer) -> None:
    page = profile.open(silent_gateway.public_url)
    page.wait_for("Sign in")
    told = page.evaluate(SILENT_LOGIN)
    assert told == {"type": "bff.silent_login", "authenticated": False, "error": "login_required"}


def test_in_a_frame_somebody_the_provider_knows_is_logged_in(profile: Profile, silent_gateway: GatewayServer) -> None:
    page = profile.open()
    sign_in(page, silent_gateway)
    end_session_here(page)
    page.go(silent_gateway.public_url)
    page.wait_for("Sign in")
    assert page.evaluate(SILENT_LOGIN) == {"type": "bff.silent_login", "authenticated": True}
    page.reload()
    page.wait_for(LIST)
    forgive_calls_without_session(page)


def test_in_a_frame_somebody_else_than_the_page_shows_is_not_logged_in(
    profile: Profile, silent_gateway: GatewayServer
) -> None:
    page = profile.open()
    sign_in(page, silent_gateway)
    end_session_here(page)
    page.go(silent_gateway.public_url)
    page.wait_for("Sign in")
    told = page.evaluate(SILENT_LOGIN.replace("silentLogin()", "silentLogin('somebody-else')"))
    assert told == {"type": "bff.silent_login", "authenticated": False, "error": "login_required"}
    assert profile.cookie("bff") is None
    page.reload()
    page.wait_for("Sign in")
    forgive_calls_without_session(page)


def test_logging_in_as_somebody_else_replaces_the_session_when_it_is_done_and_not_before(
    profile: Profile, gateway: GatewayServer
) -> None:
    page = profile.open()
    sign_in(page, gateway)
    page.go(f"{gateway.public_url}/bff/login?prompt=select_account")
    page.wait_for("to go on to")
    other_tab = profile.open(gateway.public_url)
    other_tab.wait_for("Alice Archer")
    finish_login(page, "Bob Baker")
    page.wait_for("Bob Baker")
    other_tab.reload()
    other_tab.wait_for("Bob Baker")


def end_session_here(page: Page) -> None:
    """Log out of the application behind its back, and stay logged in at the provider."""
    assert page.evaluate("fetch('/bff/logout', {method: 'POST'}).then((answer) => answer.status)") == 200


def forgive_calls_without_session(page: Page) -> None:
    """What the page called behind whose back the session ended was answered 401, which the browser notes."""
    page.seen.complaints = [one for one in page.seen.complaints if "status of 401" not in one]
