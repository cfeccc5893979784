"""How a session ends: signed out here, in another tab or at the provider, or not used for too long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.screens import picture
from tests.browser.stack import LIST, Stack, sign_in
from tests.support.access_lines import AccessLines
from tests.support.chromium import Profile
from tests.support.processes import GatewayServer

IDLE = 24


@pytest.fixture(scope="module")
def hasty_gateway(stack: Stack) -> Iterator[GatewayServer]:
    """A gateway that ends sessions soon."""
    with stack.gateway(BFF_SESSION_IDLE=f"{IDLE}s") as server:
        yield server


def test_signing_out_ends_the_session_here_and_at_the_provider(profile: Profile, gateway: GatewayServer) -> None:
    page = profile.open()
    sign_in(page, gateway)
    page.click("button", "Alice Archer")
    page.click("button", "Sign out")
    page.wait_for("Sign in to see yours.")
    page.wait_for_address(f"{gateway.public_url}/")
    assert profile.cookie("bff") is None
    page.click("a", "Sign in")
    page.wait_for("to go on to")


def test_a_logout_in_one_tab_is_seen_in_the_other(profile: Profile, gateway: GatewayServer) -> None:
    page, other = profile.open(), profile.open()
    sign_in(page, gateway)
    other.go(f"{gateway.public_url}/?show=approved")
    other.wait_for(LIST)
    page.click("button", "Alice Archer")
    page.click("button", "Sign out")
    other.wait_for("You signed out in another tab.")
    assert "Alice" not in other.text()
    # And from there back to the same place, for both.
    other.click("a", "Sign in")
    other.click("button", "Alice Archer")
    other.click("button", "Allow")
    other.wait_for(LIST)
    assert other.address() == f"{gateway.public_url}/?show=approved"
    page.wait_for(LIST)


def test_an_open_page_sees_that_the_provider_has_ended_the_session(
    profile: Profile, gateway: GatewayServer, stack: Stack
) -> None:
    page = profile.open()
    sign_in(page, gateway)
    stack.tell_logouts_to(gateway)
    told = stack.provider.control(backchannel_logout={"sub": "user-alice"})
    assert told["backchannel_logout"] == [200]
    # Looking at the page again is what a person does; the page asks then, if it has not asked just before.
    ended = "document.body.innerText.includes('Your session has ended')"
    page.eventually(f"window.dispatchEvent(new Event('focus')) && {ended}", "the end of the session")
    assert "Archer" not in page.text()
    assert page.evaluate("document.activeElement.innerText") == "Your session has ended"


def test_a_call_after_the_provider_has_ended_the_session_says_so_and_leads_back(
    profile: Profile, gateway: GatewayServer, stack: Stack
) -> None:
    page = profile.open()
    sign_in(page, gateway, place="/?show=submitted#what-the-browser-holds")
    stack.tell_logouts_to(gateway)
    stack.provider.control(backchannel_logout={"sub": "user-alice"})
    page.click("button", "Look again")
    page.click("button", "Approve")
    page.wait_for("Your session has ended")
    page.click("a", "Sign in")
    # The provider itself still knows her: nothing to do there.
    page.click("button", "Alice Archer")
    page.wait_for(LIST)
    assert page.address() == f"{gateway.public_url}/?show=submitted#what-the-browser-holds"
    _expect_complaints(page.seen.complaints, "401")
    page.seen.complaints.clear()


def test_staying_signed_in_at_the_warning_keeps_the_session_and_not_answering_lets_it_expire(
    profile: Profile, other_profile: Profile, hasty_gateway: GatewayServer
) -> None:
    access = AccessLines(hasty_gateway)
    staying, leaving = profile.open(), other_profile.open()
    sign_in(leaving, hasty_gateway)
    sign_in(staying, hasty_gateway)
    leaving.wait_for("Your session ends soon")
    picture(leaving, "idle-warning")
    staying.wait_for("Your session ends soon")
    in_dialog = "document.activeElement.closest('dialog') !== null"
    assert staying.evaluate(in_dialog), "the focus is not in the dialog"
    staying.click("button", "Stay signed in")
    staying.wait_without("Your session ends soon")
    assert access.wait_for("POST", "/bff/session").status == 200

    leaving.wait_for("Your session has expired")
    assert "Archer" not in leaving.text()
    # Not used for as long, but for the button, and still there.
    assert staying.evaluate("fetch('/bff/session').then((answer) => answer.json())")["authenticated"]
    leaving.click("a", "Sign in")
    leaving.click("button", "Alice Archer")
    leaving.wait_for(LIST)


def _expect_complaints(complaints: list[str], status: str) -> None:
    """The browser itself notes each refused call, and there is nothing else."""
    assert complaints
    assert [one for one in complaints if f"status of {status}" not in one] == []
