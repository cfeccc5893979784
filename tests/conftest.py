"""For every test run: its last lines say which parts did not run, and why."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator

import pytest

from tests.support.left_out import left_out_lines

# A browser wants the machine for itself: its tests are a run of their own, `make test-browser`.
asks_for_browser = any("tests/browser" in argument for argument in sys.argv[1:]) or "BFF_TESTS_BROWSER" in os.environ
collect_ignore = [] if asks_for_browser else ["browser"]


# The outermost wrapper: what it writes comes after the line with the counts.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Name the parts that were left out."""
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        if collect_ignore and session.config.args_source is pytest.Config.ArgsSource.TESTPATHS:
            reporter.write_line("tests/browser did not run: it is a run of its own, make test-browser", yellow=True)
        for line in left_out_lines(reporter.stats.get("skipped", [])):
            reporter.write_line(line, yellow=True)
    return result
