"""All that can be measured, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from bench.options import Options
from bench.stage import Stage
from bench.targets import express, gateway, lua_resty_openidc, mod_auth_openidc, naive, nginx_reference, oauth2_proxy
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
    yield lua_resty_openidc.LEAN_NAME, lua_resty_openidc.start_lean
    yield lua_resty_openidc.NAME, lua_resty_openidc.start
    yield oauth2_proxy.NAME, oauth2_proxy.start
    yield mod_auth_openidc.NAME, mod_auth_openidc.start
    yield express.NAME, express.start
    yield naive.NAME, naive.start
