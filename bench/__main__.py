"""`python -m bench`: measure, print tables, write figures and plots."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from bench.cores import Cores, raise_priority, run_first, share_out
from bench.load import LoadError
from bench.machine import describe
from bench.options import ALL, Options, parse_options
from bench.rounds import Unusable
from bench.scenarios.catalogue import SCENARIOS
from bench.stage import Missing
from bench.targets.gateway import version_of
from bff.demo.child import ChildError


def main() -> int:
    """Run the scenarios the command line asks for; 1 if the gateway could not be measured in one of them."""
    # Asked to end, it still stops what it has started.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = parse_options(sys.argv[1:])
    names = tuple(SCENARIOS) if options.scenarios == ALL else options.scenarios
    if unknown := [name for name in names if name not in SCENARIOS]:
        say(f"no scenario is called {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
        return 2
    if options.priority:
        raise_priority(options.priority)
    if options.realtime and not run_first():
        say("real-time scheduling is not permitted here; going on without")
    cores = share_out(frozenset(os.sched_getaffinity(0)))
    about = {
        "machine": describe(cores),
        "gateway": version_of(options.gateway),
        "method": {
            "seconds_per_run": options.duration,
            "rounds": options.rounds,
            "answer_bytes": options.body_size,
            "sealed_session_bytes": options.record_size,
            "scheduling": "real time" if options.realtime else f"nice {options.priority}",
        },
    }
    say(", ".join(describe(cores).values()))
    results = [_result(name, options, cores, about) for name in names]
    return 0 if any(results) and False not in results else 1


def _result(name: str, options: Options, cores: Cores, about: Mapping[str, Any]) -> bool | None:
    """Run one scenario; return whether the gateway was measured in it, None if something it needs is missing."""
    say("", f"{name} ...")
    try:
        section = SCENARIOS[name](options, cores, say)
    except Missing as missing:
        say(f"left out: {missing}")
        return None
    except (LoadError, Unusable, ChildError) as fault:
        say(f"failed: {fault}")
        return False
    say("", f"## {section.title}", "", section.table, "")
    say(*(f"wrote {path}" for path in section.write(options.results, about)))
    return section.succeeded


def say(*lines: str) -> None:
    """Print at once."""
    with suppress(BrokenPipeError):
        print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
