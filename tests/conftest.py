"""For every test run: its last lines say which parts did not run, and why."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.left_out import left_out_lines


# The outermost wrapper: what it writes comes after the line with the counts.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Name the parts that were left out."""
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        for line in left_out_lines(reporter.stats.get("skipped", [])):
            reporter.write_line(line, yellow=True)
    return result
