"""One browser and one stack for all browser tests; a profile of its own for each test.

They end with the last browser test, so that nothing else runs beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.stack import Stack
from tests.support.chromium import Chromium, Profile, start_chromium
from tests.support.processes import GatewayServer, start_provider, start_timesheets, start_valkey

# Several of the waits of one test may be long on a busy machine.
TIMEOUT = 400


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the browser tests their time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.fixture(scope="package")
def chromium() -> Iterator[Chromium]:
    """The browser."""
    with start_chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def stack(chromium: Chromium) -> Iterator[Stack]:
    """Sessions in Valkey, the provider with its pages, the timesheets API, and gateways for it."""
    with (
        start_valkey() as valkey,
        start_provider(auto_login=None, pushed_requests="on") as provider,
        start_timesheets(provider) as timesheets,
    ):
        yield Stack(provider, timesheets, valkey)


@pytest.fixture(scope="package")
def gateway(stack: Stack) -> Iterator[GatewayServer]:
    """The gateway as the demonstration has it."""
    with stack.gateway() as server:
        yield server


@pytest.fixture
def profile(chromium: Chromium) -> Iterator[Profile]:
    """A fresh browser profile, whose pages had nothing to complain about."""
    with chromium.profile() as fresh:
        yield fresh
        assert [complaint for page in fresh.pages for complaint in page.seen.complaints] == []


@pytest.fixture
def other_profile(chromium: Chromium) -> Iterator[Profile]:
    """Somebody else's browser."""
    with chromium.profile() as fresh:
        yield fresh
