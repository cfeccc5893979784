"""Where the configuration and what the provider offers contradict each other."""

from __future__ import annotations

from dataclasses import dataclass

from bff.oauth.metadata import ProviderMetadata
from bff.settings import Settings


@dataclass(frozen=True, slots=True)
class ConfigurationFault:
    """Why no login can work; `explanation` names the variable and is for the operator."""

    reason: str
    explanation: str


def configuration_fault(settings: Settings, metadata: ProviderMetadata) -> ConfigurationFault | None:
    """Return the first contradiction (RFC 9126 section 5), None if there is none."""
    has_par = metadata.pushed_authorization_request_endpoint is not None
    if settings.par == "off" and metadata.require_pushed_authorization_requests:
        return ConfigurationFault("par.required", "BFF_PAR is off, but the provider requires pushed requests")
    if not has_par and (settings.par == "require" or metadata.require_pushed_authorization_requests):
        return ConfigurationFault("par.no_endpoint", "BFF_PAR needs an endpoint that the provider does not have")
    if settings.response_mode.endswith("jwt") and metadata.jwks_uri is None:
        return ConfigurationFault(
            "response_mode.no_keys", "BFF_RESPONSE_MODE=jwt needs keys, and the provider has none"
        )
    if settings.userinfo == "on" and "openid" not in settings.scopes:
        return ConfigurationFault("userinfo.without_openid", "BFF_USERINFO is on, but BFF_SCOPES lacks openid")
    if settings.userinfo == "on" and metadata.userinfo_endpoint is None:
        return ConfigurationFault(
            "userinfo.no_endpoint", "BFF_USERINFO is on, but the provider has no UserInfo endpoint"
        )
    return None
