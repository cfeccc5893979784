"""Chromium without a screen: one process for a test run, and a profile of its own for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bff.demo.child import Child, clean_environment
from tests.support.browser_page import Page
from tests.support.devtools import DevTools
from tests.support.left_out import leave_out

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_TIMEOUT = 60.0

# Whatever a page asks for, nothing leaves this machine.
HOSTS = "MAP * 127.0.0.1, EXCLUDE 127.0.0.1"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"),
    *("--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--hide-scrollbars"),
    *("--disable-features=Translate,OptimizationHints,MediaRouter", f"--host-resolver-rules={HOSTS}"),
    *("--remote-debugging-port=0", "--remote-allow-origins=*", "--lang=en-GB", "--force-color-profile=srgb"),
)


class Profile:
    """A browser profile: its cookies and storage are shared by its pages and by no other profile's."""

    def __init__(self, devtools: DevTools) -> None:
        self._devtools = devtools
        self._id = devtools.call("Target.createBrowserContext", disposeOnDetach=True)["browserContextId"]
        self.pages: list[Page] = []

    def open(self, url: str = "about:blank", *, record: bool = False, ignore_certificates: bool = False) -> Page:
        """Open a tab; with `record` every answer's body is kept."""
        target = self._devtools.call("Target.createTarget", url="about:blank", browserContextId=self._id)["targetId"]
        page = Page(self._devtools, target, record=record, ignore_certificates=ignore_certificates)
        self.pages.append(page)
        if url != "about:blank":
            page.go(url)
        return page

    def cookies(self) -> list[dict[str, Any]]:
        """Return the cookies as the browser has stored them."""
        cookies: list[dict[str, Any]] = self._devtools.call("Storage.getCookies", browserContextId=self._id)["cookies"]
        return cookies

    def cookie(self, name: str) -> dict[str, Any] | None:
        """Return the cookie of that name, None if there is none."""
        found = [cookie for cookie in self.cookies() if cookie["name"] == name]
        assert len(found) < 2, found
        return found[0] if found else None

    def close(self) -> None:
        """Close its pages and forget all it held."""
        for page in self.pages:
            page.detach()
        self._devtools.call("Target.disposeBrowserContext", browserContextId=self._id)


class Chromium:
    """A running browser."""

    def __init__(self, devtools: DevTools) -> None:
        self._devtools = devtools

    @contextmanager
    def profile(self) -> Iterator[Profile]:
        """A fresh profile that is gone afterwards."""
        profile = Profile(self._devtools)
        try:
            yield profile
        finally:
            profile.close()


@contextmanager
def start_chromium() -> Iterator[Chromium]:
    """Start the browser; left out where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        leave_out("The browser tests need Chromium.")
    # Its last processes may still write while the directory is taken away.
    with tempfile.TemporaryDirectory(prefix="bff-test-chromium-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        child = Child(
            "chromium",
            [program, *FLAGS, f"--user-data-dir={directory / 'profile'}", "about:blank"],
            clean_environment(HOME=str(directory), TZ="UTC", LC_ALL=os.environ.get("LC_ALL", "C.UTF-8")),
            directory / "chromium.log",
        )
        child.start()
        try:
            devtools = DevTools(_address(child, directory / "profile" / "DevToolsActivePort"))
            try:
                yield Chromium(devtools)
            finally:
                devtools.close()
        finally:
            child.stop()


def _address(child: Child, port_file: Path) -> str:
    """Return where the browser listens; it writes the file once it does."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        child.check_alive()
        lines = port_file.read_text().splitlines() if port_file.is_file() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.05)
    raise AssertionError(f"Chromium did not start.\n{child.output_end()}")
