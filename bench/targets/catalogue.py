"""All that can be measured, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from bench.options import Options
from bench.stage import Stage
from bench.targets import express, gateway, lua_resty_openidc, mod_auth_openidc, naive, nginx_reference, oauth2_proxy
from bench.targets.target import Target

Start = Callable[[Stage], Target]

TARGETS: dict[str, Start] = {
    nginx_reference.NAME: nginx_reference.start,
    nginx_reference.FEW_KEPT_NAME: nginx_reference.start_with_few_kept,
    gateway.NAME: gateway.start,
    lua_resty_openidc.LEAN_NAME: lua_resty_openidc.start_lean,
    lua_resty_openidc.NAME: lua_resty_openidc.start,
    oauth2_proxy.NAME: oauth2_proxy.start,
    mod_auth_openidc.NAME: mod_auth_openidc.start,
    express.NAME: express.start,
    naive.NAME: naive.start,
}
REFERENCES = (nginx_reference.NAME, nginx_reference.FEW_KEPT_NAME, naive.NAME)


def wanted(options: Options) -> Iterator[tuple[str, Start]]:
    """Yield name and start of each target the options ask for, other checkouts' gateways after this one's."""
    for name, start in TARGETS.items():
        if not options.targets or name in options.targets:
            yield name, start
        if name == gateway.NAME:
            for label, checkout in options.compare:
                other = f"{gateway.NAME} {label}"
                yield other, partial(gateway.start, name=other, checkout=checkout)
