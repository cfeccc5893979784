"""How tests are shared out where several processes run them side by side (pytest-xdist)."""

from __future__ import annotations

from typing import Any

from xdist.scheduler import LoadScopeScheduling

WHOLE = {
    "tests/browser/": "the browser and its stack",
    "tests/conformance/": "the relying parties",
    "tests/integration/test_lying_": "the stage",
    "tests/integration/test_callback_of_another_login.py": "the stage",
    "tests/integration/test_nothing_leaks.py": "the stage",
}
"""What begins like this stays together, for it shares servers or looks back on the others; else each file does."""


def group_of(nodeid: str) -> str:
    """The group of a test; the tests of a group run in one process, one after the other."""
    return next(
        (group for beginning, group in WHOLE.items() if nodeid.startswith(beginning)), nodeid.partition("::")[0]
    )


class InGroups(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process that is free the next group, in the order in which the tests were collected."""

    def __init__(self, config: Any, log: Any = None) -> None:
        # What has few tests, but long ones, must not come last.
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
