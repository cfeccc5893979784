"""Where the configuration and what the provider offers contradict each other."""

from __future__ import annotations

from dataclasses import dataclass

from bff.oauth.dpop import supports_dpop
from bff.oauth.metadata import ProviderMetadata
from bff.settings import Settings


@dataclass(frozen=True, slots=True)
class ConfigurationFault:
    """Why no login can work; `explanation` names the variable and is for the operator."""

    reason: str
    explanation: str


def configuration_fault(settings: Settings, metadata: ProviderMetadata) -> ConfigurationFault | None:
    """Return the first contradiction (RFC 9126 section 5), None if there is none."""
    if settings.is_client_alone:
        return _binding_fault(settings, metadata)
    has_par = metadata.pushed_authorization_request_endpoint is not None
    if settings.par == "off" and metadata.require_pushed_authorization_requests:
        return ConfigurationFault("par.required", "BFF_PAR is off, but the provider requires pushed requests")
    if not has_par and (settings.par == "require" or metadata.require_pushed_authorization_requests):
        return ConfigurationFault("par.no_endpoint", "BFF_PAR needs an endpoint that the provider does not have")
    return (
        _request_object_fault(settings, metadata)
        or _binding_fault(settings, metadata)
        or _answer_fault(settings, metadata)
    )


def _request_object_fault(settings: Settings, metadata: ProviderMetadata) -> ConfigurationFault | None:
    if settings.request_object == "off" and metadata.require_signed_request_object:
        return ConfigurationFault(
            "request_object.required", "BFF_REQUEST_OBJECT is off, but the provider requires signed requests"
        )
    is_pushed = settings.par != "off" and metadata.pushed_authorization_request_endpoint is not None
    if settings.request_object == "signed" and not is_pushed and not metadata.request_parameter_supported:
        return ConfigurationFault(
            "request_object.unsupported",
            "BFF_REQUEST_OBJECT is signed, but the provider takes no signed request that is not pushed",
        )
    return None


def _binding_fault(settings: Settings, metadata: ProviderMetadata) -> ConfigurationFault | None:
    listed = metadata.dpop_signing_alg_values_supported
    if settings.dpop == "require" and listed is not None and not supports_dpop(listed):
        return ConfigurationFault(
            "dpop.algorithm", "BFF_DPOP is require, but the provider takes no proofs signed with ES256"
        )
    is_unbound = settings.dpop == "off" and not metadata.tls_client_certificate_bound_access_tokens
    if settings.profile is not None and is_unbound:
        return ConfigurationFault(
            "profile.unbound_tokens",
            f"BFF_PROFILE={settings.profile} demands bound tokens, and the provider binds none to certificates; "
            "set BFF_DPOP=require",
        )
    return None


def _answer_fault(settings: Settings, metadata: ProviderMetadata) -> ConfigurationFault | None:
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
