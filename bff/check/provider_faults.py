"""Why the provider cannot be used, in an operator's words: what was seen, the variable concerned, the cure."""

from __future__ import annotations

from typing import Final

from bff.check.findings import Finding, unusable
from bff.errors import GatewayError
from bff.settings import Settings

_NETWORK: Final[dict[str, tuple[str, str, str]]] = {
    "provider.connect": ("BFF_ISSUER", "cannot be connected to", "Check host, port, DNS and outgoing firewall rules"),
    "provider.connect_timeout": (
        *("BFF_ISSUER", "does not take connections in time"),
        "Check host, port and outgoing firewall rules; a dropped packet looks like this",
    ),
    "provider.timeout": ("BFF_ISSUER", "does not answer in time", "See why it is slow, and try again"),
    "provider.certificate": (
        *("BFF_CA_FILE", "has a certificate that is not accepted"),
        "Put its authority's certificate into BFF_CA_FILE; check its host name and dates",
    ),
    "provider.protocol": ("BFF_ISSUER", "does not speak HTTP there", "Check port and scheme of the issuer"),
    "provider.network": ("BFF_ISSUER", "broke the connection off", "Try again; check what stands between"),
    "provider.too_large": ("BFF_ISSUER", "sent an endless answer", "Check that the issuer is the provider's"),
    "provider.url": ("BFF_ISSUER", "names an address that is no URL", "Have the provider mend its metadata"),
    "provider.content_encoding": (
        *("BFF_ISSUER", "compresses its answers, unasked and wrongly"),
        "Have the provider, or what stands between, send them as they are",
    ),
}

_DOCUMENTS: Final[dict[str, tuple[str, str, str, str]]] = {
    "metadata.status": (
        *("provider.metadata", "BFF_ISSUER", "The issuer has no metadata at its address"),
        "Copy the issuer from the provider's documentation; /.well-known/openid-configuration after it must answer 200",
    ),
    "metadata.content_type": (
        *("provider.metadata", "BFF_ISSUER", "The metadata are not JSON: perhaps a web page is there"),
        "Copy the issuer from the provider's documentation, its path included",
    ),
    "metadata.malformed": (
        *("provider.metadata", "BFF_ISSUER", "The metadata are no well-formed JSON object"),
        "Check that the issuer is the provider's; have the provider mend its metadata",
    ),
    "metadata.issuer": (
        *("provider.issuer", "BFF_ISSUER", "The metadata name another issuer"),
        "Set BFF_ISSUER to exactly what the metadata say, if that is the provider you trust",
    ),
    "metadata.code_challenge_methods_supported": (
        *("provider.pkce", "BFF_ISSUER", "The provider does not take PKCE with S256"),
        "Allow S256 at the provider; the gateway never goes without",
    ),
    "metadata.id_token_signing_alg_values_supported": (
        *("provider.algorithms", "BFF_ISSUER", "The provider signs ID tokens with nothing the gateway accepts"),
        "Have them signed with RS256, PS256, ES256 or EdDSA; none and shared secrets are never accepted",
    ),
    "metadata.response_types_supported": (
        *("provider.metadata", "BFF_ISSUER", "The provider does not offer the authorization code flow"),
        "Allow the response type code at the provider",
    ),
    "metadata.grant_types_supported": (
        *("provider.metadata", "BFF_ISSUER", "The provider does not offer the authorization code grant"),
        "Allow the grant type authorization_code at the provider",
    ),
    "metadata.jwks_uri": (
        *("provider.metadata", "BFF_SCOPES", "The metadata name no usable key set (jwks_uri)"),
        "Check that it is an OpenID provider; for plain OAuth leave openid out of BFF_SCOPES",
    ),
    "keys.status": (
        *("provider.keys", "BFF_ISSUER", "The key set is not at the address the metadata name"),
        "Have the provider mend its jwks_uri",
    ),
    "keys.content_type": (
        *("provider.keys", "BFF_ISSUER", "The key set is not JSON"),
        "Have the provider mend its jwks_uri",
    ),
    "keys.malformed": (
        *("provider.keys", "BFF_ISSUER", "The key set is malformed"),
        "Have the provider mend its key set",
    ),
    "keys.too_many": (
        *("provider.keys", "BFF_ISSUER", "The key set has more keys than any provider needs"),
        "Have the provider remove old keys",
    ),
}


_CREDENTIALS: Final = {
    "client_secret_basic": "BFF_CLIENT_SECRET",
    "client_secret_post": "BFF_CLIENT_SECRET",
    "private_key_jwt": "BFF_CLIENT_KEY",
}


def fault_of(error: GatewayError, during: str, who: str = "The provider") -> Finding:
    """Return the finding of a request that failed; `during` is the finding it was made for."""
    if error.reason in _DOCUMENTS:
        found, variable, seen, cure = _DOCUMENTS[error.reason]
        return unusable(found, variable, seen, cure)
    if error.reason in _NETWORK:
        variable, seen, cure = _NETWORK[error.reason]
        return unusable(during, variable, f"{who} {seen}", cure)
    if error.reason.startswith("metadata."):
        member = error.reason.removeprefix("metadata.")
        return unusable(
            *("provider.metadata", "BFF_ISSUER", f"The metadata lack {member}, or it is not what it must be"),
            f"Have the provider mend {member}; endpoints must be https URLs",
        )
    if error.reason.endswith(".unavailable"):
        return unusable(
            *(during, "BFF_ISSUER", f"{who} says that it cannot serve now (429 or 5xx)"),
            "See why at the provider, and try again",
        )
    return unusable(
        *(during, "BFF_ISSUER", f"{who} gave an answer that cannot be used ({error.reason})"),
        "Check that the issuer is the provider's, and its version",
    )


def client_refused(error: GatewayError, settings: Settings, during: str) -> Finding:
    """Return the finding of a request in which the client itself was refused (RFC 6749 section 5.2)."""
    code = error.reason.partition(".")[2]
    secret = _CREDENTIALS.get(settings.client_auth, "BFF_CLIENT_CERT")
    unsigned = (
        "BFF_REQUEST_OBJECT",
        "Register the key of bff jwks, and its algorithm as request_object_signing_alg; or turn signing off",
    )
    known: dict[str, tuple[str, str]] = {
        "invalid_request_object": unsigned,
        "request_not_supported": unsigned,
        "invalid_client": (
            secret,
            f"Compare BFF_CLIENT_ID, {secret} and BFF_CLIENT_AUTH with the client's registration",
        ),
        "unauthorized_client": (
            "BFF_CLIENT_ID",
            f"Compare BFF_CLIENT_ID and {secret}: some say this of wrong ones. Allow the authorization code grant",
        ),
        "invalid_scope": ("BFF_SCOPES", "Allow the scopes for this client, or remove them from BFF_SCOPES"),
        "invalid_target": ("BFF_RESOURCE", "Allow the resource for this client, or correct BFF_RESOURCE"),
        "unsupported_response_type": ("BFF_CLIENT_ID", "Allow the response type code for this client"),
        "unsupported_grant_type": ("BFF_CLIENT_ID", "Allow the authorization code grant for this client"),
    }
    variable, cure = known.get(
        code,
        (
            "BFF_PUBLIC_URL",
            f"If provider.client is good: {registration_cure(settings)}",
        ),
    )
    return unusable(during, variable, f"The provider refused the client: {code}", cure)


def registration_cure(settings: Settings) -> str:
    """Return what to do where a login's request was refused and nobody says why."""
    uri = settings.public_url.url("/bff/callback")
    return f"Register the redirect URI {uri} and allow the scopes of BFF_SCOPES; the provider's log says which it was"
