"""All scenarios by name, in the order they are run."""

from __future__ import annotations

from collections.abc import Callable

from bench.cores import Cores
from bench.options import Options
from bench.scenarios import (
    bodies,
    connections,
    memory,
    profile,
    routes,
    sessions,
    small_calls,
    sockets,
    streams,
    workers,
)
from bench.section import Section

Say = Callable[..., None]
Run = Callable[[Options, Cores, Say], Section]

SCENARIOS: dict[str, Run] = {
    small_calls.NAME: small_calls.run,
    connections.NAME: connections.run,
    routes.NAME: routes.run,
    sessions.NAME: sessions.run,
    workers.NAME: workers.run,
    memory.NAME: memory.run,
    bodies.NAME: bodies.run,
    streams.NAME: streams.run,
    sockets.NAME: sockets.run,
    profile.NAME: profile.run,
}
