"""For every test run: its last lines say which parts did not run, and why; how it is shared out among processes."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

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


class SideBySide:
    """What holds only where several processes run the tests."""

    @pytest.hookimpl
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> object:
        """Share the tests out by what they start."""
        from tests.support.side_by_side import InGroups

        return InGroups(config, log)

    @pytest.hookimpl
    def pytest_xdist_auto_num_workers(self) -> int | None:
        """More processes than processors, for many tests wait; unless the number is given."""
        return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Take part where several processes can run the tests at all."""
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(SideBySide())
