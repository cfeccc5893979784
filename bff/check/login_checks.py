"""What the provider's metadata say of how logins are answered, and of those that show nothing."""

from __future__ import annotations

from collections.abc import Iterator

from bff.check.findings import Finding, degraded, good, note, unusable
from bff.oauth.metadata import ProviderMetadata
from bff.settings import Settings
from bff.settings.urls import origin_of


def login_answers(settings: Settings, metadata: ProviderMetadata) -> Iterator[Finding]:
    """Return a finding on the response mode, and one on silent logins in frames where they are on."""
    yield _response_mode(settings, metadata)
    if settings.silent_login == "on":
        yield _silent_login(settings, metadata)


def _response_mode(settings: Settings, metadata: ProviderMetadata) -> Finding:
    where, mode, listed = ("provider.response_mode", "BFF_RESPONSE_MODE"), settings.response_mode, _listed(metadata)
    if listed is not None and not {mode, "query.jwt" if mode == "jwt" else mode} & listed:
        return unusable(*where, f"The provider does not answer logins by {mode}", "Set BFF_RESPONSE_MODE=query")
    if mode.endswith("jwt") and not metadata.authorization_signing_alg_values_supported:
        return unusable(
            *(*where, "The provider signs its answers with no algorithm that the gateway accepts"),
            "Have it sign with PS256 or ES256, or set BFF_RESPONSE_MODE=query",
        )
    if listed is None and mode != "query":
        return note(*(*where, f"The metadata do not say whether logins can be answered by {mode}"), "Try a login, once")
    return good(*where, f"Logins are answered by {mode}")


def _listed(metadata: ProviderMetadata) -> set[str] | None:
    return None if metadata.response_modes_supported is None else set(metadata.response_modes_supported)


def _silent_login(settings: Settings, metadata: ProviderMetadata) -> Finding:
    where = ("provider.silent_login", "BFF_SILENT_LOGIN")
    if origin_of(metadata.authorization_endpoint) != origin_of(settings.issuer):
        return degraded(
            *(*where, "The page may show frames of the issuer's origin, and logins begin at another"),
            "Use /bff/login?prompt=none at the top level instead, and set BFF_SILENT_LOGIN=off",
        )
    return note(
        *(*where, "Silent logins in frames work where the provider is on the application's own site"),
        "Elsewhere browsers keep its cookies out of frames; use /bff/login?prompt=none at the top level",
    )
