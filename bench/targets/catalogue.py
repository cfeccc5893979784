"""All that can be measured, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from bench.options import Options
from bench.stage import Stage
from bench.targets import gateway, naive, nginx_reference
from bench.targets.target import Target

Start = Callable[[Stage], Target]

REFERENCES = (nginx_reference.NAME, naive.NAME)


def wanted(options: Options) -> Iterator[tuple[str, Start]]:
    """Yield name and start of each target the options ask for."""
    for name, start in _all(options):
        if not options.targets or name in options.targets:
            yield name, start


def _all(options: Options) -> Iterator[tuple[str, Start]]:
    yield nginx_reference.NAME, nginx_reference.start
    yield gateway.NAME, gateway.start
    for label, checkout in options.compare:
        name = f"{gateway.NAME} {label}"
        yield name, partial(gateway.start, name=name, checkout=checkout)
    yield naive.NAME, naive.start
