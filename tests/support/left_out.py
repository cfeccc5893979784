"""Parts of the tests that need what not every machine has: left out where it is missing, unless nothing may be."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, NoReturn

import pytest

LEAVE_NOTHING_OUT = "BFF_TESTS_LEAVE_NOTHING_OUT"
"""The environment variable that makes a missing part a failure when it is 1."""


def leave_out(reason: str) -> NoReturn:
    """End the test: skipped because of what `reason` says is missing, or failed where nothing may be left out."""
    if os.environ.get(LEAVE_NOTHING_OUT) == "1":
        pytest.fail(f"Left out, though nothing may be ({LEAVE_NOTHING_OUT}=1): {reason}", pytrace=False)
    pytest.skip(reason)


def left_out_lines(skipped: Sequence[Any]) -> list[str]:
    """Return what to tell at the end of a run about its `skipped` reports: each reason and what it concerned."""
    concerned: dict[str, Counter[str]] = {}
    for report in skipped:
        path, _, message = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, str(report.longrepr))
        file = report.nodeid.partition("::")[0] or str(path)
        concerned.setdefault(message.removeprefix("Skipped: "), Counter())[file] += 1
    if not concerned:
        return []
    lines = ["These parts of the tests did not run:"]
    for reason, files in concerned.items():
        where = ", ".join(f"{file} ({count} {'test' if count == 1 else 'tests'})" for file, count in files.items())
        lines.append(f"  {where}: {reason}")
    return lines
