"""The settings by themselves: their faults, and what is unusual in them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bff.check.findings import Finding, good, note, unusable
from bff.settings import Settings
from bff.settings.credentials import EXPIRES_SOON, certificate_ends_at

_VARIABLE = re.compile(r"BFF_[A-Z_]+")


def fault_findings(faults: Sequence[str]) -> list[Finding]:
    """Return one finding for each fault of `SettingsInvalid`, as `bff serve` tells them."""
    return [_fault(line) for line in faults]


def check_settings(settings: Settings) -> list[Finding]:
    """Return what can be said of valid settings without asking anybody."""
    return [
        good("settings.valid", "BFF_*", "All variables are valid, and agree with each other"),
        _public_url(settings),
        *_trusted_proxies(settings),
    ]


def check_client_certificate(settings: Settings, now: float) -> list[Finding]:
    """Return how long the client's certificate lives, if there is one; `now` in seconds since the epoch."""
    if settings.client_cert is None:
        return []
    where, left = ("settings.client_certificate", "BFF_CLIENT_CERT"), certificate_ends_at(settings.client_cert) - now
    cure = "Have it renewed, register it if the provider knows it by itself; a file is read again by itself"
    if left <= 0:
        return [unusable(*where, "The client's certificate has expired", cure)]
    seen = f"The client's certificate is valid for {left / 86400:.0f} more days"
    return [note(*where, seen, cure) if left < EXPIRES_SOON else good(*where, seen)]


def _fault(line: str) -> Finding:
    where, _, text = line.partition(": ")
    rule, _, cure = text.partition(". ")
    named = _VARIABLE.match(where)
    subject = None if named is not None and named[0] == where else where
    # The routes that are known by their prefix come from one of these.
    variable = named[0] if named is not None else "BFF_ROUTES" if where.startswith("route ") else where
    return unusable(
        "settings.faults", variable, rule, cure.removesuffix(".") or "See docs/configuration.md", subject=subject
    )


def _public_url(settings: Settings) -> Finding:
    url = settings.public_url
    if url.is_secure:
        return good("settings.public_url", "BFF_PUBLIC_URL", f"Browsers use {url.origin}")
    return note(
        *(
            "settings.public_url",
            "BFF_PUBLIC_URL",
            f"Browsers use {url.origin}: cookies have neither Secure nor prefix",
        ),
        "For anything but this machine use https; a proxy in front may end TLS",
    )


def _trusted_proxies(settings: Settings) -> list[Finding]:
    if not settings.public_url.is_secure:
        return []
    where = ("settings.trusted_proxies", "BFF_TRUSTED_PROXIES")
    if settings.trusted_proxies:
        return [good(*where, "Clients' addresses are taken from the proxies that are listed")]
    return [
        note(
            *(
                *where,
                "No proxy is believed, though one must end TLS: all clients have its address in log and upstreams",
            ),
            "Set it to the networks of the proxy in front",
        )
    ]
