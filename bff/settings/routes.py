"""Where routes come from: the short form, a TOML file, inline JSON; all that are given count."""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from bff.settings.fault import Faults, Unacceptable, near_miss, shown_name
from bff.settings.route import Route, parse_prefix, parse_route
from bff.settings.urls import UpstreamUrl

SHORT_FORM = "BFF_UPSTREAM_URL"
ROUTES_FILE = "BFF_ROUTES_FILE"
ROUTES = "BFF_ROUTES"


def parse_toml(text: str) -> list[Any]:
    """Return the `[[routes]]` tables; raises `Unacceptable`."""
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        raise Unacceptable("must be a TOML file", "Check it with a TOML linter") from None
    return _routes_of(document)


def parse_json(text: str) -> list[Any]:
    """Return the routes of `{"routes": [...]}`, or of the list alone; raises `Unacceptable`."""
    try:
        document = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise Unacceptable("must be JSON without repeated members", "Check quotes, commas and braces") from None
    return document if isinstance(document, list) else _routes_of(document)


def all_routes(values: Mapping[str, Any], faults: Faults) -> tuple[Route, ...]:
    """Return the routes of all three forms; `values` are the parsed variables, `faults` takes what is wrong."""
    timeout, max_body = values.get("BFF_UPSTREAM_TIMEOUT", 60.0), values.get("BFF_MAX_BODY", 1)
    found: list[tuple[str, Route]] = []
    upstream = values.get(SHORT_FORM)
    if isinstance(upstream, UpstreamUrl) and "BFF_API_PREFIX" in values:
        prefix = values["BFF_API_PREFIX"]
        found.append((SHORT_FORM, Route(prefix=prefix, upstream=upstream, timeout=timeout, max_body=max_body)))
    for where, fields in _tables(values, faults):
        route = parse_route(where, fields, timeout=timeout, max_body=max_body, faults=faults)
        if route is not None:
            found.append((where, route))
    seen: dict[str, str] = {}
    for where, route in found:
        if route.prefix in seen:
            faults.add(
                where, f"prefix {route.prefix} is already that of {seen[route.prefix]}", "Give each route its own"
            )
        seen.setdefault(route.prefix, where)
    return tuple(route for _, route in found)


def _tables(values: Mapping[str, Any], faults: Faults) -> Iterator[tuple[str, Mapping[str, object]]]:
    for variable in (ROUTES_FILE, ROUTES):
        for position, fields in enumerate(values.get(variable, ()), 1):
            where = f"{variable} route {position}"
            if not isinstance(fields, dict):
                faults.add(where, "must be a table", "Write for example prefix and upstream in it")
                continue
            with contextlib.suppress(Unacceptable):  # said with the route's other faults
                where = f"{where} ({parse_prefix(fields.get('prefix'))})"
            yield where, fields


def _routes_of(document: object) -> list[Any]:
    if not isinstance(document, dict):
        raise Unacceptable("must hold a list of routes", 'Write for example {"routes": [{...}]}')
    for name in document:
        if name != "routes":
            meant = near_miss(name, ("routes",))
            cure = "Did you mean routes?" if meant else "Put everything into routes, in TOML as [[routes]] tables"
            raise Unacceptable(f"has the unknown name {shown_name(name)} beside routes", cure)
    routes = document.get("routes", [])
    if not isinstance(routes, list):
        raise Unacceptable("must hold a list of routes", "Write [[routes]] in TOML, with two brackets")
    return routes


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members
