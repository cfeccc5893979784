"""The page from Vite's own development server, through the gateway: one origin, real cookies, hot reload."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bff.demo.child import Child, clean_environment
from tests.browser.stack import LIST, Stack, sign_in
from tests.support.application import copy_source, find_npm
from tests.support.chromium import Profile
from tests.support.processes import GatewayServer, reserve_port

START_TIMEOUT = 120.0
BRAND = "          Timesheets\n"


@dataclass
class Development:
    """A gateway in front of Vite, and the source that is worked on."""

    gateway: GatewayServer
    source: Path

    def edit(self, file: str, before: str, after: str) -> None:
        """Change a file of the source as an editor does."""
        path = self.source / "src" / file
        text = path.read_text()
        assert text.count(before) == 1, file
        path.write_text(text.replace(before, after))


@pytest.fixture(scope="module")
def development(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Development]:
    """Vite, run as `npm run dev` does but on a free port, and a gateway that is told of it."""
    source = copy_source(find_npm(), tmp_path_factory.mktemp("development"))
    port = reserve_port()
    node = shutil.which("node")
    assert node is not None
    command = [node, str(source / "node_modules" / "vite" / "bin" / "vite.js"), str(source), "--port", str(port)]
    # Its packages are shared with other tests; what it makes of them is its own.
    config = source / "vite.config.ts"
    config.write_text(config.read_text().replace("plugins:", f'cacheDir: "{source / "vite-cache"}",\n  plugins:'))
    vite = Child("vite", command, clean_environment(), source.parent / "vite.log")
    vite.start()
    try:
        vite.wait_until_ready(f"http://127.0.0.1:{port}/", timeout=START_TIMEOUT)
        address = f"http://127.0.0.1:{port}"
        with stack.gateway(BFF_STATIC_DIR=None, BFF_SPA_DEV_SERVER=address) as gateway:
            yield Development(gateway, source)
    finally:
        vite.stop()


def test_a_change_of_the_source_shows_at_once_in_the_page_of_a_signed_in_user(
    profile: Profile, development: Development
) -> None:
    page = profile.open()
    sign_in(page, development.gateway)
    page.evaluate("void (window.isStillTheSamePage = true)")
    development.edit("components/Header.tsx", BRAND, BRAND.replace("Timesheets", "Hours and days"))
    page.wait_for("Hours and days")
    assert page.evaluate("window.isStillTheSamePage"), "it was loaded anew"
    page.wait_for(LIST)
    assert page.evaluate("fetch('/bff/session').then((answer) => answer.json())")["authenticated"]
    cookie = profile.cookie("bff")
    assert cookie is not None
    assert cookie["httpOnly"]
    assert {url.partition("://")[2].partition("/")[0] for url in page.seen.urls if "/src/" in url} == {
        development.gateway.public_url.partition("://")[2]
    }, "the page's modules come from another origin"
