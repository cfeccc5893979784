"""Signed requests and bound tokens: what the provider offers of them against what is configured."""

from __future__ import annotations

from collections.abc import Iterator

from bff.check.findings import Finding, good, note, shown, unusable
from bff.oauth.dpop import supports_dpop
from bff.oauth.metadata import ProviderMetadata
from bff.provider.client_authentication import signing_keys
from bff.provider.configuration import configuration_fault
from bff.settings import Settings


def request_objects(settings: Settings, metadata: ProviderMetadata) -> Iterator[Finding]:
    """Return whether requests are signed as the provider takes and wants them."""
    where, fault = ("provider.request_objects", "BFF_REQUEST_OBJECT"), configuration_fault(settings, metadata)
    if fault is not None and fault.reason == "request_object.required":
        yield unusable(*where, fault.explanation, "Set BFF_REQUEST_OBJECT=signed, with BFF_CLIENT_KEY")
    elif fault is not None and fault.reason == "request_object.unsupported":
        yield unusable(*where, fault.explanation, "Set BFF_PAR=require if it takes pushed ones, or turn signing off")
    elif settings.request_object == "signed":
        listed = metadata.request_object_signing_alg_values_supported
        chosen = (key.algorithm_for(listed) for key in signing_keys(settings))
        algorithm = next((name for name in chosen if name is not None), None)
        if algorithm is None:
            cure = f"Use a key for one of {shown(', '.join(listed or ()))}, and register it"
            yield unusable(*where, "The key cannot sign with any algorithm the provider takes for requests", cure)
        else:
            yield good(*where, f"Authorization requests are signed with {algorithm}")


def bound_tokens(settings: Settings, metadata: ProviderMetadata) -> Iterator[Finding]:
    """Return what access tokens are bound to, if they are to be bound."""
    where, fault = ("provider.bound_tokens", "BFF_DPOP"), configuration_fault(settings, metadata)
    if fault is not None and fault.reason in ("dpop.algorithm", "profile.unbound_tokens"):
        yield unusable(*where, fault.explanation, "Turn it on at the provider, or bind tokens in the other way")
    elif settings.dpop != "off" and not supports_dpop(metadata.dpop_signing_alg_values_supported):
        seen = "The metadata list no ES256 for proofs (dpop_signing_alg_values_supported)"
        if settings.dpop == "auto":
            yield note(*where, f"{seen}; tokens are bearer tokens", "Turn DPoP on at the provider if it can be")
        else:
            yield note(*where, f"{seen}; a login fails if it binds none", "Ask the provider; log in once to be sure")
    elif settings.dpop != "off":
        yield good(*where, "Access tokens are bound to a key of each session")
    elif settings.client_cert is not None and metadata.tls_client_certificate_bound_access_tokens:
        yield good(*where, "Access tokens are bound to the client's certificate, if the client is registered for it")
