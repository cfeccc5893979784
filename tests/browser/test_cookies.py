"""The cookies as the browser has stored them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.stack import LIST, Stack, sign_in
from tests.support.browser_page import POLL, Page
from tests.support.chromium import Profile
from tests.support.devtools import PATIENCE
from tests.support.processes import GatewayServer, reserve_port
from tests.support.tls_front import tls_front

SECURE_NAME = "__Host-Http-bff"
HOST = "app.timesheets.example"


@pytest.fixture(scope="module")
def secure_gateway(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayServer]:
    """A gateway whose public origin is https, behind something that ends TLS."""
    secure_port, plain_port = reserve_port(), reserve_port()
    directory: Path = tmp_path_factory.mktemp("tls")
    with (
        tls_front(directory, HOST, secure_port, plain_port),
        stack.gateway(public_url=f"https://{HOST}:{secure_port}", port=plain_port) as server,
    ):
        yield server


def test_on_loopback_the_session_cookie_is_http_only_strict_and_of_this_host_alone(
    profile: Profile, gateway: GatewayServer
) -> None:
    page = profile.open()
    sign_in(page, gateway)
    cookie = profile.cookie("bff")
    assert cookie is not None
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    assert cookie["domain"] == "localhost"
    assert cookie["session"], "it outlasts the browser"
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("cookieStore.getAll().then((all) => all.length)") == 0


def test_on_https_the_browser_itself_vouches_for_the_cookie_by_its_name(
    profile: Profile, secure_gateway: GatewayServer
) -> None:
    page = profile.open(ignore_certificates=True)
    sign_in(page, secure_gateway)
    cookie = profile.cookie(SECURE_NAME)
    assert cookie is not None
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["path"]) == (True, True, "Strict", "/")
    # With a leading dot it would be sent to other hosts too.
    assert cookie["domain"] == HOST
    assert cookie["session"]
    assert page.evaluate("document.cookie") == ""


def test_no_script_and_no_sibling_host_can_plant_the_session_cookie(
    profile: Profile, secure_gateway: GatewayServer
) -> None:
    page = profile.open(ignore_certificates=True)
    sign_in(page, secure_gateway)
    before = profile.cookie(SECURE_NAME)
    assert before is not None
    _write_cookies(profile, page, f"{SECURE_NAME}=planted; Secure; Path=/")
    sibling = profile.open(ignore_certificates=True)
    sibling.go(secure_gateway.public_url.replace("app.", "evil."))
    # A lesser name is another cookie, which the gateway does not look at.
    _write_cookies(
        profile,
        sibling,
        f"{SECURE_NAME}=planted; Secure; Path=/; Domain=timesheets.example",
        f"{SECURE_NAME}=planted; Secure; Path=/; Domain={HOST}",
        "bff=planted; Secure; Path=/; Domain=timesheets.example",
    )
    assert profile.cookie("bff") is not None
    assert profile.cookie(SECURE_NAME) == before
    page.reload()
    page.wait_for("Alice Archer")
    sibling.seen.complaints.clear()


def _write_cookies(profile: Profile, page: Page, *cookies: str) -> None:
    """Have the page's script write cookies; return when the browser has stored or refused them all."""
    # They are stored behind the script's back, in order: when the last is there, the others have been decided on.
    last = f"written-{len(profile.cookies())}"
    for cookie in (*cookies, f"{last}=1; Secure; Path=/"):
        page.evaluate(f"document.cookie = {json.dumps(cookie)}")
    deadline = time.monotonic() + PATIENCE
    while profile.cookie(last) is None:
        assert time.monotonic() < deadline, "The page can write no cookies at all."
        time.sleep(POLL)


def test_during_a_login_there_is_one_cookie_that_is_gone_afterwards(profile: Profile, gateway: GatewayServer) -> None:
    page = profile.open(gateway.public_url)
    page.click("a", "Sign in")
    page.wait_for("to go on to")
    (login,) = [cookie for cookie in profile.cookies() if cookie["name"].startswith("bff")]
    assert login["name"].startswith("bff-login-")
    assert login["httpOnly"]
    assert login["sameSite"] == "Lax", "it has to come along from the provider"
    page.click("button", "Alice Archer")
    page.click("button", "Allow")
    page.wait_for(LIST)
    assert [cookie["name"] for cookie in profile.cookies() if cookie["name"].startswith("bff")] == ["bff"]
