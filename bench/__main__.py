"""`python -m bench`: measure, print tables, write figures and plots."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from bench.cores import raise_priority, share_out
from bench.machine import describe
from bench.options import ALL, parse_options
from bench.scenarios.catalogue import SCENARIOS
from bench.stage import Missing
from bench.targets.gateway import version_of


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
    cores = share_out(frozenset(os.sched_getaffinity(0)))
    about = {
        "machine": describe(cores),
        "gateway": version_of(options.gateway),
        "method": {
            "seconds_per_run": options.duration,
            "rounds": options.rounds,
            "answer_bytes": options.body_size,
            "sealed_session_bytes": options.record_size,
        },
    }
    say(", ".join(describe(cores).values()))
    succeeded = True
    for name in names:
        say("", f"{name} ...")
        try:
            section = SCENARIOS[name](options, cores, say)
        except Missing as missing:
            say(f"cannot measure: {missing}")
            return 1
        say("", f"## {section.title}", "", section.table, "")
        say(*(f"wrote {path}" for path in section.write(options.results, about)))
        succeeded = succeeded and section.succeeded
    return 0 if succeeded else 1


def say(*lines: str) -> None:
    """Print at once."""
    with suppress(BrokenPipeError):
        print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
