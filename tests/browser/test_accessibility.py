"""The main screens for those who cannot see them well, have no mouse, or look at them on a phone."""

from __future__ import annotations

import pytest

from tests.browser.screens import SCREENS, picture
from tests.browser.stack import LIST
from tests.support.axe import accessibility_faults, axe_script
from tests.support.chromium import Profile
from tests.support.processes import GatewayServer

# The pictures the documentation has, and which part of the page each is of.
PICTURES = {"sign-in": ".sign-in-card", "timesheets": None, "what-the-browser-holds": "#what-the-browser-holds"}


@pytest.fixture(scope="module")
def axe() -> str:
    """The program that finds the faults."""
    return axe_script()


@pytest.mark.parametrize("screen", SCREENS)
def test_no_screen_has_a_serious_accessibility_fault_in_light_or_dark(
    profile: Profile, gateway: GatewayServer, axe: str, screen: str
) -> None:
    page = profile.open()
    page.prefer("light")
    SCREENS[screen](page, gateway)
    if screen in PICTURES:
        picture(page, screen, PICTURES[screen])
    light = accessibility_faults(page, axe)
    page.prefer("dark")
    if screen == "timesheets":
        picture(page, f"{screen}-dark")
    dark = accessibility_faults(page, axe)
    assert (light, dark) == ([], [])
    _forget_refusals(page.seen.complaints, screen)


@pytest.mark.parametrize("screen", ["sign-in", "timesheets", "add-hours"])
def test_on_a_phone_nothing_runs_over_and_nothing_is_faulty(
    profile: Profile, gateway: GatewayServer, axe: str, screen: str
) -> None:
    page = profile.open()
    page.resize(360, 740, scale=1.5, phone=True)
    page.prefer("light")
    SCREENS[screen](page, gateway)
    if screen == "timesheets":
        page.evaluate("scrollTo(0, 0)")
        picture(page, f"{screen}-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert accessibility_faults(page, axe) == []


def test_the_keyboard_alone_is_enough(profile: Profile, gateway: GatewayServer) -> None:
    page = profile.open(gateway.public_url)
    page.wait_for("Sign in to see yours.")
    page.tab_to("Sign in")
    page.press("Enter")
    page.wait_for("to go on to")
    page.tab_to("Alice Archer")
    page.press("Enter")
    page.wait_for("would like to do this")
    page.tab_to("Allow")
    page.press("Enter")
    page.wait_for(LIST)

    page.tab_to("Add hours")
    page.press("Enter")
    page.wait_for("Project")
    assert page.focused() == "Project"
    page.type("Keyboard work")
    page.tab_to("Add")
    page.press("Enter")
    page.wait_for("Added 7.5 h on Keyboard work.")
    assert page.focused() == "Add hours", "the focus is not where it was"

    page.tab_to("Delete 7.5 h, Keyboard work")
    page.press("Enter")
    page.wait_for("Delete this timesheet?")
    page.press("Escape")
    page.wait_without("Delete this timesheet?")
    assert page.focused().startswith("Delete 7.5 h, Keyboard work")
    page.press("Enter")
    page.tab_to("Delete")
    page.press("Enter")
    page.wait_for("Deleted 7.5 h on Keyboard work.")

    page.tab_to("AA\nAlice Archer")
    page.press("Enter")
    page.tab_to("Sign out")
    page.press("Enter")
    page.wait_for("Sign in to see yours.")


def _forget_refusals(complaints: list[str], screen: str) -> None:
    """The browser itself notes what the API has refused, where that is what is shown."""
    if screen == "refused":
        complaints[:] = [one for one in complaints if "status of 403" not in one]
