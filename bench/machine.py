"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from bench.cores import Cores


def describe(cores: Cores) -> dict[str, str]:
    """Return processor, cores, kernel and interpreter in words."""
    return {
        "processor": _processor(),
        "cores": f"server on {_named(cores.server)}, load on {_named(cores.load)}"
        + ("" if cores.are_apart else " (shared: the figures are lower than they could be)"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _named(cores: frozenset[int]) -> str:
    return f"core{'s' if len(cores) > 1 else ''} {', '.join(map(str, sorted(cores)))}"
