"""Logging in through the provider's pages, and staying so."""

from __future__ import annotations

import pytest

from tests.browser.stack import LIST, Stack, finish_login, sign_in
from tests.support.chromium import Profile
from tests.support.processes import GatewayServer


def test_a_login_with_consent_leads_to_the_timesheets(profile: Profile, gateway: GatewayServer, stack: Stack) -> None:
    page = profile.open(gateway.public_url)
    page.wait_for("Sign in to see yours.")
    page.click("a", "Sign in")
    page.wait_for("to go on to")
    assert page.address().startswith(f"{stack.provider.issuer}/authorize")
    page.click("button", "Alice Archer")
    page.wait_for("Approve other people's timesheets for you")
    page.click("button", "Allow")
    page.wait_for(LIST)
    page.wait_for_address(f"{gateway.public_url}/")
    page.wait_for("Alice Archer")
    page.eventually("document.querySelectorAll('.row').length > 2", "timesheets")


def test_a_user_who_refuses_consent_is_told_so_and_is_not_signed_in(profile: Profile, gateway: GatewayServer) -> None:
    page = profile.open(gateway.public_url)
    page.click("a", "Sign in")
    page.click("button", "Bob Baker")
    page.click("button", "Refuse")
    page.eventually(f"location.href.startsWith('{gateway.public_url}/bff/callback')", "the answer to the refusal")
    page.wait_for("log")
    print(page.text())
    assert page.address().startswith(f"{gateway.public_url}/bff/callback")
    assert profile.cookie("bff") is None
    assert page.evaluate("document.querySelector('a, form') !== null"), "no way on"
    # The page's status is 400, which the browser notes.
    page.seen.complaints = [one for one in page.seen.complaints if "status of 400" not in one]


def test_path_query_and_fragment_of_a_deep_link_survive_the_login(profile: Profile, gateway: GatewayServer) -> None:
    place = "/team/north?show=submitted&q=caf%C3%A9%20%26%20more#what-the-browser-holds"
    page = profile.open()
    sign_in(page, gateway, place=place)
    assert page.address() == f"{gateway.public_url}{place}"
    current = "document.querySelector('.filter [aria-current]')?.innerText.startsWith('Waiting')"
    page.eventually(current, "the filter of the address")
    assert page.evaluate("document.activeElement.id") == "what-the-browser-holds"


@pytest.mark.parametrize("fragment", ["#100%", "#%E0%A4%A", "#nowhere", "#"])
def test_a_fragment_that_points_nowhere_does_no_harm(profile: Profile, gateway: GatewayServer, fragment: str) -> None:
    page = profile.open()
    sign_in(page, gateway, place=f"/{fragment}")
    page.wait_for(LIST)
    page.eventually("document.querySelectorAll('.row').length > 2", "timesheets")


def test_a_reload_keeps_the_session_and_so_does_another_tab(profile: Profile, gateway: GatewayServer) -> None:
    page = profile.open()
    sign_in(page, gateway)
    page.reload()
    page.wait_for(LIST)
    profile.open(f"{gateway.public_url}/?show=approved").wait_for(LIST)
    assert "Sign in" not in page.text()


@pytest.mark.parametrize("finishing", ["first tab first", "second tab first"])
def test_two_tabs_log_in_at_once_and_finish_in_either_order(
    profile: Profile, gateway: GatewayServer, finishing: str
) -> None:
    tabs = {name: profile.open(f"{gateway.public_url}/?tab={name}") for name in ("first", "second")}
    for tab in tabs.values():
        tab.click("a", "Sign in")
        tab.wait_for("to go on to")
    order = list(tabs) if finishing == "first tab first" else list(reversed(tabs))
    finish_login(tabs[order[0]])
    # The provider remembers the consent.
    tabs[order[1]].click("button", "Alice Archer")
    for name in order:
        tabs[name].wait_for(LIST)
        assert tabs[name].address() == f"{gateway.public_url}/?tab={name}"
    tabs[order[0]].click(".switch", "Offer everything")
    tabs[order[0]].click("a", "Approved")
    tabs[order[0]].reload()
    tabs[order[0]].wait_for(LIST)
    assert [cookie["name"] for cookie in profile.cookies() if cookie["name"].startswith("bff")] == ["bff"]
