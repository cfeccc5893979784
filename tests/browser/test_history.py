"""The back button."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.stack import LIST, Stack, sign_in
from tests.support.chromium import Profile
from tests.support.hostile_site import HostileSite
from tests.support.processes import GatewayServer

# Told by the page itself as soon as it is shown again, before it has asked anybody anything.
NOTE_WHAT_IS_SHOWN = """
addEventListener("pageshow", ({persisted}) => {
  window.wasKept = persisted;
  window.shownAtOnce = document.body?.innerText ?? "";
}, {capture: true});
"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """The address of a page that has nothing to do with the application."""
    with HostileSite().running() as site:
        site.write("/", "Something else")
        yield f"http://127.0.0.1:{site.port}/"


def test_the_page_before_the_login_shows_who_is_signed_in_now(profile: Profile, gateway: GatewayServer) -> None:
    page = profile.open()
    sign_in(page, gateway)
    addresses = page.addresses()
    steps = len(addresses) - 1 - addresses.index(f"{gateway.public_url}/")
    assert steps > 1, addresses
    page.back(steps)
    page.wait_for(LIST)
    assert "/bff/" not in " ".join(addresses), "an address of the login is in the history"


def test_after_a_logout_the_back_button_shows_no_data(profile: Profile, gateway: GatewayServer) -> None:
    page = profile.open()
    page.call("Page.addScriptToEvaluateOnNewDocument", source=NOTE_WHAT_IS_SHOWN)
    sign_in(page, gateway)
    page.click("button", "Alice Archer")
    page.click("button", "Sign out")
    page.wait_for("Sign in to see yours.")
    page.back()
    page.wait_for("Sign in")
    assert not page.evaluate("window.wasKept")
    assert "Archer" not in page.text()
    assert "Archer" not in page.evaluate("window.shownAtOnce")


def test_after_a_logout_in_another_tab_the_back_button_shows_no_data(
    profile: Profile, gateway: GatewayServer, elsewhere: str
) -> None:
    page, other = profile.open(), profile.open()
    page.call("Page.addScriptToEvaluateOnNewDocument", source=NOTE_WHAT_IS_SHOWN)
    sign_in(page, gateway)
    page.go(elsewhere)
    other.go(gateway.public_url)
    other.click("button", "Alice Archer")
    other.click("button", "Sign out")
    other.wait_for("Sign in to see yours.")
    page.back()
    page.wait_for("Sign in")
    assert not page.evaluate("window.wasKept")
    assert "Archer" not in page.text()
    assert "Archer" not in page.evaluate("window.shownAtOnce")


def test_after_the_provider_has_ended_the_session_the_back_button_shows_no_data(
    profile: Profile, gateway: GatewayServer, stack: Stack, elsewhere: str
) -> None:
    page = profile.open()
    page.call("Page.addScriptToEvaluateOnNewDocument", source=NOTE_WHAT_IS_SHOWN)
    sign_in(page, gateway)
    page.go(elsewhere)
    stack.tell_logouts_to(gateway)
    stack.provider.control(backchannel_logout={"sub": "user-alice"})
    page.back()
    page.wait_for("Sign in")
    assert not page.evaluate("window.wasKept")
    assert "Archer" not in page.text()
    assert "Archer" not in page.evaluate("window.shownAtOnce")
