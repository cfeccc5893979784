"""The provider: metadata, keys, the client's credentials, a pushed request, other hosts, the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import urlsplit

from bff.check.clock_check import provider_clock
from bff.check.findings import Finding, Level, degraded, good, note, quoted, unusable
from bff.check.offer_checks import keys_for, offer
from bff.check.provider_faults import client_refused, fault_of, registration_cure
from bff.check.reach import Connect, Place, Unreachable
from bff.check.route_checks import client_tokens, offered_to_routes
from bff.errors import ClientRefused, InvalidProviderAnswer, LoginFailed, ProviderUnavailable
from bff.oauth.keys import ProviderKeys
from bff.oauth.metadata import ProviderMetadata
from bff.provider.configuration import configuration_fault
from bff.settings import Settings
from bff.settings.token_target import TokenTarget

_UNREACHED = frozenset({"provider.connect", "provider.connect_timeout", "provider.certificate", "provider.protocol"})
_FAILURES = (ProviderUnavailable, InvalidProviderAnswer)


class Inspection(Protocol):
    """What is asked of the provider: `bff.provider.inspection.ProviderInspection`."""

    @property
    def clock_offset(self) -> float | None: ...
    async def metadata(self) -> ProviderMetadata: ...
    async def keys(self) -> ProviderKeys: ...
    async def stated_issuer(self) -> str | None: ...
    async def try_client(self, metadata: ProviderMetadata) -> bool: ...
    async def try_client_token(self, target: TokenTarget) -> object: ...
    async def try_pushed_request(self) -> None: ...


@dataclass
class ProviderFindings:
    """What was found; `metadata` is None if they could not be had."""

    findings: list[Finding] = field(default_factory=list)
    metadata: ProviderMetadata | None = None


class ProviderChecks:
    """Examines the provider; `connect` tries the other hosts of its endpoints."""

    def __init__(
        self, settings: Settings, inspection: Inspection, connect: Connect, timer: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._inspection = inspection
        self._connect = connect
        self._timer = timer

    async def run(self, found: ProviderFindings) -> None:
        """Add all that is found to `found`, as it is found."""
        started_at = self._timer()
        try:
            found.metadata = metadata = await self._inspection.metadata()
        except _FAILURES as error:
            found.findings.append(await self._without_metadata(error))
        else:
            milliseconds = 1000 * (self._timer() - started_at)
            found.findings.append(
                good("provider.metadata", "BFF_ISSUER", f"The metadata were fetched in {milliseconds:.0f} ms")
            )
            found.findings.extend(offer(self._settings, metadata))
            found.findings.extend(offered_to_routes(self._settings, metadata))
            for findings in await asyncio.gather(
                self._keys(metadata),
                self._client(metadata),
                self._registration(metadata),
                self._endpoints(metadata),
                client_tokens(self._settings.routes, self._inspection.try_client_token),
            ):
                found.findings.extend(findings)
            found.findings[:] = _reconciled(found.findings)
        if self._inspection.clock_offset is not None:
            found.findings.append(provider_clock(self._inspection.clock_offset))

    async def _without_metadata(self, error: ProviderUnavailable | InvalidProviderAnswer) -> Finding:
        finding = fault_of(error, "provider.metadata")
        seen = finding.seen
        if error.reason in _UNREACHED:
            try:
                await self._connect(place_of(self._settings.issuer))
            except Unreachable as unreachable:
                seen = f"{place_of(self._settings.issuer)} {unreachable.seen}"
        elif error.reason == "metadata.issuer":
            stated = await self._inspection.stated_issuer()
            seen = f"{seen}: {'none at all' if stated is None else quoted(stated)}"
        return unusable(finding.id, finding.variable, seen, finding.cure or "")

    async def _keys(self, metadata: ProviderMetadata) -> list[Finding]:
        if "openid" not in self._settings.scopes:
            return []
        try:
            return keys_for(self._settings, metadata, await self._inspection.keys())
        except _FAILURES as error:
            return [fault_of(error, "provider.keys", "The host of the key set")]

    async def _client(self, metadata: ProviderMetadata) -> list[Finding]:
        where = "provider.client"
        try:
            was_refused = await self._inspection.try_client(metadata)
        except ClientRefused as error:
            if error.reason == "client_key.algorithm":
                return []  # said by provider.client_key
            if error.reason in ("token.invalid_client", "token.unauthorized_client", "token.unsupported_grant_type"):
                return [client_refused(error, self._settings, where)]
            return [_undecided(f"it answered {error.reason.partition('.')[2]} to a made-up code")]
        except ProviderUnavailable as error:
            return [fault_of(error, where, "The token endpoint")]
        except InvalidProviderAnswer as error:
            return [_undecided(f"its answer to a made-up code cannot be read ({error.reason})")]
        if not was_refused:
            return [
                unusable(
                    *(where, "BFF_ISSUER", "The provider gave tokens for a made-up code"),
                    "Do not use this provider: its codes protect nothing",
                )
            ]
        return [good(where, "BFF_CLIENT_ID", "The provider accepted the client's credentials")]

    async def _registration(self, metadata: ProviderMetadata) -> list[Finding]:
        endpoint, where = metadata.pushed_authorization_request_endpoint, "provider.registration"
        if endpoint is None or self._settings.par == "off":
            return []
        if configuration_fault(self._settings, metadata) is not None:
            return []
        try:
            await self._inspection.try_pushed_request()
        except ClientRefused as error:
            return [client_refused(error, self._settings, where)]
        except LoginFailed:
            seen = "The provider refused a pushed request"
            return [unusable(where, "BFF_PUBLIC_URL", seen, registration_cure(self._settings))]
        except _FAILURES as error:
            return [fault_of(error, where, "The endpoint of pushed requests")]
        return [good(where, "BFF_PUBLIC_URL", "The provider accepted the redirect URI and the scopes")]

    async def _endpoints(self, metadata: ProviderMetadata) -> list[Finding]:
        """Try the hosts that neither the metadata nor another request has tried."""
        asked = {place_of(url) for url in (self._settings.issuer, metadata.token_endpoint, metadata.jwks_uri) if url}
        endpoints = (metadata.userinfo_endpoint, metadata.revocation_endpoint)
        others = {place_of(url) for url in endpoints if url is not None} - asked
        return list(await asyncio.gather(*(self._endpoint(place) for place in sorted(others, key=str))))

    async def _endpoint(self, place: Place) -> Finding:
        where = "provider.endpoints"
        try:
            await self._connect(place)
        except Unreachable as unreachable:
            variable = "BFF_CA_FILE" if unreachable.is_trust else "BFF_ISSUER"
            return degraded(
                *(where, variable, f"A host that the metadata name {unreachable.seen}"),
                "Let the gateway reach it; UserInfo or revocation are there",
                subject=str(place),
            )
        return good(where, "BFF_ISSUER", "A host that the metadata name takes connections", subject=str(place))


def place_of(url: str) -> Place:
    """Return where an absolute URL leads."""
    parts = urlsplit(url)
    is_secure = parts.scheme == "https"
    return Place(parts.hostname or "", parts.port or (443 if is_secure else 80), is_secure)


def _reconciled(findings: list[Finding]) -> list[Finding]:
    """Return the findings with what the metadata say of the client weighed against what its credentials came to."""
    if not any(finding.id == "provider.client" and finding.level is Level.GOOD for finding in findings):
        return findings
    return [
        replace(finding, level=Level.DEGRADED, seen=f"{finding.seen} in its metadata, though it accepted it now")
        if finding.id == "provider.client_authentication" and finding.level is Level.UNUSABLE
        else finding
        for finding in findings
    ]


def _undecided(why: str) -> Finding:
    return note(
        *("provider.client", "BFF_CLIENT_ID", f"The provider does not tell whether it accepts the client: {why}"),
        "Log in once to be sure",
    )
