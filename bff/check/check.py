"""All checks together: everything is tried at the same time, and nothing may take longer than its limit."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any, Final

from bff.asgi import paths
from bff.check.files_checks import check_files
from bff.check.findings import Finding, unusable
from bff.check.posture import Facts, Stand
from bff.check.provider_checks import ProviderChecks, ProviderFindings
from bff.check.reach import Connect, Place, Reached, reach
from bff.check.report import Report
from bff.check.requirements import REQUIREMENTS
from bff.check.settings_checks import check_client_certificate, check_settings, fault_findings
from bff.check.store_checks import StoreChecks, StoreFindings
from bff.check.upstream_checks import UpstreamChecks, UpstreamFindings
from bff.errors import SettingsInvalid
from bff.oauth.metadata import ProviderMetadata
from bff.provider import mutual_tls, open_pool, plain_tls
from bff.provider.inspection import ProviderInspection
from bff.settings import Settings, load_settings
from bff.stores import open_store
from bff.stores.inspection import inspect_store

LIMIT: Final = 30.0
"""Seconds for all that is asked of one server; single requests have shorter limits of their own."""


def check_environment(
    environ: Mapping[str, str], *, checks: Mapping[str, Callable[[str], object]], show: Callable[[Report], None]
) -> int:
    """Examine the gateway that the environment describes, `show` the report, and return the exit status.

    `checks` are those of `load_settings`. The report is shown before anything that still runs is waited for: a name
    that cannot be resolved may keep a thread of the resolver busy for a while.
    """
    try:
        settings = load_settings(environ, checks=checks)
    except SettingsInvalid as invalid:
        report = Report(version=version("bff"), findings=fault_findings(invalid.faults), register={})
        show(report)
        return report.exit_status
    return asyncio.run(_examine_and_show(settings, show))


async def _examine_and_show(settings: Settings, show: Callable[[Report], None]) -> int:
    report = await examine(settings)
    show(report)
    return report.exit_status


async def examine(settings: Settings, *, limit: float = LIMIT) -> Report:
    """Return the report on valid settings; `limit` is in seconds."""
    # What the gateway would log is in the report.
    logging.getLogger("bff").addHandler(logging.NullHandler())
    connect = partial(reach, tls=mutual_tls(settings))
    inspection = ProviderInspection(
        settings, open_pool(mutual_tls(settings)), clock=time.time, random_bytes=secrets.token_bytes
    )
    provider, store, upstreams = ProviderFindings(), StoreFindings(), UpstreamFindings()
    try:
        files, *unfinished = await asyncio.gather(
            asyncio.to_thread(check_files, settings),
            _bounded(ProviderChecks(settings, inspection, connect, time.monotonic).run(provider), limit, "provider"),
            _bounded(
                StoreChecks(settings, open_store=open_store, inspect=inspect_store, clock=time.time).run(store),
                limit,
                "store",
            ),
            UpstreamChecks(settings, connect_to_upstreams(settings), time.time).run(upstreams),
        )
    finally:
        await inspection.close()
    findings = [
        *check_settings(settings),
        *check_client_certificate(settings, time.time()),
        *provider.findings,
        *store.findings,
        *(finding for finding in unfinished if finding is not None),
        *upstreams.findings,
        *files,
    ]
    return Report(
        version=version("bff"),
        findings=findings,
        register=_addresses(settings),
        posture=posture(settings, provider.metadata),
    )


def connect_to_upstreams(settings: Settings) -> Connect:
    """Return how upstreams are connected to: only those that get tokens are shown the client's certificate."""
    routes = [route for route in settings.routes if route.token != "none"]  # noqa: S105 -- a policy's name
    known = {Place(route.upstream.hostname, route.upstream.port, route.upstream.scheme == "https") for route in routes}
    shown, plain = mutual_tls(settings), plain_tls(settings)

    async def connect(place: Place) -> Reached:
        return await reach(place, shown if place in known else plain)

    return connect


def posture(settings: Settings, metadata: ProviderMetadata | None) -> list[Stand]:
    """Return how the settings, and the provider's metadata if they could be had, stand to every requirement."""
    facts = Facts(settings, metadata)
    return [Stand(requirement, *requirement.judge(facts)) for requirement in REQUIREMENTS]


async def _bounded(examination: Awaitable[Any], limit: float, area: str) -> Finding | None:
    try:
        async with asyncio.timeout(limit):
            await examination
    except TimeoutError:
        variable = "BFF_ISSUER" if area == "provider" else "BFF_REDIS_URL"
        return unusable(
            *(f"{area}.unfinished", variable, f"Not all could be asked within {limit:g} s"),
            "See why it is slow, and try again",
        )
    return None


def _addresses(settings: Settings) -> dict[str, str]:
    url = settings.public_url.url
    return {
        "redirect URI": url(paths.CALLBACK),
        "post-logout redirect URI": url(settings.post_logout_path),
        "back-channel logout URI": url(paths.BACKCHANNEL_LOGOUT),
    }
