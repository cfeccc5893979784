"""`python -m bench`: measure, print tables, write JSON and plot."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from bench.cores import raise_priority, share_out
from bench.machine import describe
from bench.options import parse_options
from bench.provider import LoginFailed
from bench.report import write_results
from bench.rounds import Unusable, check, interleave
from bench.stage import Missing, Stage
from bench.summary import Row, summarise
from bench.table import calls_table
from bench.targets.catalogue import REFERENCES, wanted
from bench.targets.target import Target
from bff.demo.child import ChildError


def main() -> int:
    """Run what the command line asks for; 1 if the gateway itself could not be measured."""
    options = parse_options(sys.argv[1:])
    if options.priority:
        raise_priority(options.priority)
    cores = share_out(frozenset(os.sched_getaffinity(0)))
    machine = describe(cores)
    say(f"{machine['processor']}, {machine['cores']}, Linux {machine['kernel']}")
    try:
        with Stage(options, cores) as stage:
            targets, missing = start_all(stage)
            rows = [row for count in options.connections for row in small_calls(stage, targets, count)]
            paths = write_results(options, machine, stage, targets, missing, rows)
    except Missing as missing_here:
        say(f"cannot measure: {missing_here}")
        return 1
    say("", *(f"wrote {path}" for path in paths))
    return 0 if any(row.target == "bff" and not row.errors for row in rows) else 1


def start_all(stage: Stage) -> tuple[list[Target], dict[str, str]]:
    """Start every target wanted; return those that work, and why the others do not."""
    targets, missing = [], {}
    for name, start in wanted(stage.options):
        try:
            target = start(stage)
            check(target)
        except (Missing, Unusable, LoginFailed, ChildError) as reason:
            missing[name] = str(reason)
            say(f"  {name}: left out, {reason}")
            continue
        targets.append(target)
        say(f"  {name}: {target.version}")
    return targets, missing


def small_calls(stage: Stage, targets: Sequence[Target], connections: int) -> list[Row]:
    """Measure all targets at one number of connections, and print the table."""
    samples = interleave(stage, targets, connections, report=say)
    rows = summarise(connections, samples, REFERENCES)
    say("", f"Small calls, {connections} connections", "", calls_table(rows, REFERENCES), "")
    return rows


def say(*lines: str) -> None:
    """Print at once."""
    with suppress(BrokenPipeError):
        print(*lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
