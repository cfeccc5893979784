"""The main screens, and how to get there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.browser.stack import sign_in
from tests.support.browser_page import Page
from tests.support.processes import GatewayServer

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WRITE = "BFF_WRITE_SCREENSHOTS"
"""The environment variable that has the pictures of the documentation written when it is 1."""


def picture(page: Page, name: str, part: str | None = None) -> None:
    """Write a picture for the documentation, if that is asked for; `part` is a selector."""
    if os.environ.get(WRITE) == "1":
        page.screenshot(IMAGES / f"{name}.png", part)


def show_sign_in(page: Page, gateway: GatewayServer) -> None:
    page.go(gateway.public_url)
    page.wait_for("Sign in to see yours.")


def show_list(page: Page, gateway: GatewayServer) -> None:
    sign_in(page, gateway)
    page.eventually("document.querySelectorAll('.fact strong').length === 5", "the findings")
    page.wait_without("looking")


def show_answers(page: Page, gateway: GatewayServer) -> None:
    show_list(page, gateway)
    page.click("summary", "See the answers")


def show_menu(page: Page, gateway: GatewayServer) -> None:
    show_list(page, gateway)
    page.click("button", "Alice Archer")
    page.wait_for("Sign out")


def show_adding(page: Page, gateway: GatewayServer) -> None:
    show_list(page, gateway)
    page.click("button", "Add hours")
    page.wait_for("Project")


def show_deleting(page: Page, gateway: GatewayServer) -> None:
    show_list(page, gateway)
    page.click("button[aria-label^=Delete]")
    page.wait_for("Delete this timesheet?")


def show_refusal(page: Page, gateway: GatewayServer) -> None:
    sign_in(page, gateway, "Bob Baker")
    page.click(".switch", "Offer everything")
    page.click("button[aria-label^=Delete]")
    page.click("dialog button", "Delete")
    page.wait_for("insufficient_scope")


SCREENS: dict[str, Callable[[Page, GatewayServer], None]] = {
    "sign-in": show_sign_in,
    "timesheets": show_list,
    "what-the-browser-holds": show_answers,
    "user-menu": show_menu,
    "add-hours": show_adding,
    "delete": show_deleting,
    "refused": show_refusal,
}
