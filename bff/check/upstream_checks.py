"""The upstreams: whether connections are taken, and how the access token travels. No request is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bff.check.findings import Finding, degraded, good, note
from bff.check.reach import Connect, Place, Reached, Unreachable
from bff.settings import Route, Settings
from bff.settings.credentials import EXPIRES_SOON
from bff.settings.urls import is_loopback


@dataclass
class UpstreamFindings:
    """What was found, in the order of routes."""

    findings: list[Finding] = field(default_factory=list)


class UpstreamChecks:
    """Tries each upstream once, however many routes lead there; `clock` tells seconds since the epoch."""

    def __init__(self, settings: Settings, connect: Connect, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._connect = connect
        self._clock = clock

    async def run(self, found: UpstreamFindings) -> None:
        """Add all that is found to `found`; each attempt is bounded in time."""
        routes: dict[Place, list[Route]] = {}
        for route in self._settings.routes:
            upstream = route.upstream
            place = Place(upstream.hostname, upstream.port, upstream.scheme == "https")
            routes.setdefault(place, []).append(route)
        if not routes:
            found.findings.append(
                note(
                    "upstream.none",
                    "BFF_UPSTREAM_URL",
                    "No route leads to an API",
                    "Set BFF_UPSTREAM_URL or BFF_ROUTES",
                )
            )
        for findings in await asyncio.gather(*(self._upstream(place, those) for place, those in routes.items())):
            found.findings.extend(findings)

    async def _upstream(self, place: Place, routes: list[Route]) -> list[Finding]:
        subject = f"{', '.join(route.prefix for route in routes)} → {place}"
        transport = list(_transport(place, routes, subject))
        try:
            reached = await self._connect(place)
        except Unreachable as unreachable:
            return [_unreachable(unreachable, subject), *transport]
        seen = f"Takes connections, within {1000 * reached.seconds:.0f} ms"
        return [
            good("upstream.reach", variable_of(routes), seen, subject=subject),
            *transport,
            *self._certificate(reached, subject),
        ]

    def _certificate(self, reached: Reached, subject: str) -> Iterator[Finding]:
        if reached.certificate_ends_at is None:
            return
        where, left = ("upstream.certificate", "BFF_CA_FILE"), reached.certificate_ends_at - self._clock()
        seen = f"The certificate is trusted, for {max(left, 0) / 86400:.0f} more days"
        if left < EXPIRES_SOON:
            yield note(*where, seen, "Have it renewed: when it ends, calls are answered 502", subject=subject)
        else:
            yield good(*where, seen, subject=subject)


def variable_of(routes: list[Route]) -> str:
    """Return the variables that routes come from; which of them, a route does not know."""
    return "BFF_UPSTREAM_URL" if len(routes) == 1 else "BFF_ROUTES"


def _transport(place: Place, routes: list[Route], subject: str) -> Iterator[Finding]:
    where = ("upstream.transport", variable_of(routes))
    if all(route.token == "none" for route in routes):  # noqa: S105 -- a policy's name
        return
    if place.is_secure or is_loopback(place.hostname):
        how = "https" if place.is_secure else "this machine alone"
        yield good(*where, f"The access token travels protected: {how}", subject=subject)
    else:
        cure = "Use https, with BFF_CA_FILE for a private authority, or let the network protect it"
        yield note(*where, "The access token travels unencrypted", cure, subject=subject)


def _unreachable(unreachable: Unreachable, subject: str) -> Finding:
    seen = f"The upstream {unreachable.seen}"
    if unreachable.is_trust:
        cure = "Put its authority's certificate into BFF_CA_FILE; check its host name and dates"
        return degraded("upstream.certificate", "BFF_CA_FILE", seen, cure, subject=subject)
    cure = "Start it, or correct the URL; check DNS and firewalls"
    return degraded("upstream.reach", "BFF_UPSTREAM_URL", seen, cure, subject=subject)
