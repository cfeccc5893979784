"""What the provider's metadata offer, against what is configured; no request is made here."""

from __future__ import annotations

from collections.abc import Iterator

from bff.check.findings import Finding, counted, degraded, good, note, shown, unusable
from bff.check.high_security_checks import bound_tokens, request_objects
from bff.check.login_checks import login_answers
from bff.oauth.jws import equivalent
from bff.oauth.keys import ProviderKeys
from bff.oauth.metadata import ProviderMetadata
from bff.provider.client_authentication import signing_keys
from bff.provider.configuration import configuration_fault
from bff.settings import Settings


def offer(settings: Settings, metadata: ProviderMetadata) -> list[Finding]:
    """Return one finding for each thing the metadata speak of."""
    return [
        good("provider.issuer", "BFF_ISSUER", f"The metadata name the configured issuer, {metadata.issuer}"),
        _pkce(metadata),
        _issuer_parameter(settings, metadata),
        _client_authentication(settings, metadata),
        *_client_key(settings, metadata),
        _pushed_requests(settings, metadata),
        *login_answers(settings, metadata),
        *request_objects(settings, metadata),
        *bound_tokens(settings, metadata),
        _scopes(settings, metadata),
        _offline_access(settings, metadata),
        _userinfo(settings, metadata),
        _revocation(metadata),
        _end_session(settings, metadata),
        _backchannel_logout(metadata),
        *_algorithms(settings, metadata),
    ]


def keys_for(settings: Settings, metadata: ProviderMetadata, keys: ProviderKeys) -> list[Finding]:
    """Return whether there is a key for the algorithms ID tokens are signed with."""
    configured = settings.id_token_alg
    algorithms = metadata.id_token_signing_alg_values_supported if configured is None else (configured,)
    served = [name for name in algorithms if keys.candidates(name, None)]
    if not served:
        return [
            unusable(
                *(
                    "provider.keys",
                    "BFF_ISSUER" if configured is None else "BFF_ID_TOKEN_ALG",
                    f"Of {counted(len(keys), 'usable key')} none fits {', '.join(algorithms)}",
                ),
                "Have the provider publish a signing key; RSA keys need 2048 bits or more"
                if configured is None
                else f"Have the provider publish a key for {configured}, or name the algorithm it signs with",
            )
        ]
    return [
        good(
            "provider.keys",
            "BFF_ISSUER",
            f"The key set has {counted(len(keys), 'usable key')}, good for {', '.join(served)}",
        )
    ]


def _pkce(metadata: ProviderMetadata) -> Finding:
    if metadata.code_challenge_methods_supported is None:
        return note(
            *("provider.pkce", "BFF_ISSUER", "The metadata do not say whether PKCE is checked"),
            "Ask the provider; the gateway sends S256 always, and state and nonce protect the login besides",
        )
    return good("provider.pkce", "BFF_ISSUER", "PKCE with S256 is supported")


def _issuer_parameter(settings: Settings, metadata: ProviderMetadata) -> Finding:
    if metadata.authorization_response_iss_parameter_supported:
        return good("provider.issuer_parameter", "BFF_ISSUER", "Authorization responses name their issuer (RFC 9207)")
    instead = "the ID token's iss is compared instead" if "openid" in settings.scopes else "and there is no ID token"
    return note(
        *("provider.issuer_parameter", "BFF_ISSUER", f"Authorization responses do not name their issuer; {instead}"),
        "Turn RFC 9207 on at the provider if it can be",
    )


def _client_authentication(settings: Settings, metadata: ProviderMetadata) -> Finding:
    where, method = ("provider.client_authentication", "BFF_CLIENT_AUTH"), settings.client_auth
    listed = metadata.token_endpoint_auth_methods_supported
    if listed is None and method != "client_secret_basic":
        return note(
            *(*where, "The metadata list no methods, which means client_secret_basic alone"),
            f"Make sure at the provider that this client may use {method}",
        )
    if listed is not None and method not in listed:
        usable = [name for name in ("private_key_jwt", "client_secret_basic", "client_secret_post") if name in listed]
        cure = f"Set BFF_CLIENT_AUTH={usable[0]}" if usable else "Allow one of the gateway's methods at the provider"
        return unusable(*where, f"The provider does not offer {method}", cure)
    return good(*where, f"The provider takes {method}")


def _client_key(settings: Settings, metadata: ProviderMetadata) -> Iterator[Finding]:
    if settings.client_auth != "private_key_jwt" or settings.client_key is None:
        return
    where, listed = ("provider.client_key", "BFF_CLIENT_KEY"), metadata.token_endpoint_auth_signing_alg_values_supported
    chosen = [key.algorithm_for(listed) for key in signing_keys(settings)]
    algorithm = next((name for name in chosen if name is not None), None)
    if algorithm is None:
        yield unusable(
            *(*where, "The key cannot sign with any algorithm the provider takes for client assertions"),
            f"Use a key for one of {shown(', '.join(listed or ()))}, and register it",
        )
    else:
        yield good(*where, f"Client assertions are signed with {algorithm}")


def _pushed_requests(settings: Settings, metadata: ProviderMetadata) -> Finding:
    where = ("provider.pushed_requests", "BFF_PAR")
    fault = configuration_fault(settings, metadata)
    offered = metadata.pushed_authorization_request_endpoint is not None
    if fault is not None and fault.reason == "par.required":
        return unusable(*where, "BFF_PAR is off, but the provider requires pushed requests", "Set BFF_PAR=auto")
    if fault is not None and fault.reason == "par.no_endpoint":
        return unusable(
            *(*where, "Pushed requests are required, but the provider has no endpoint for them"),
            "Set BFF_PAR=auto, or turn them on at the provider",
        )
    if offered and settings.par == "off":
        return note(*where, "The provider takes pushed requests, but BFF_PAR is off", "Set BFF_PAR=auto")
    if offered:
        return good(*where, "Authorization requests are pushed")
    return note(
        *(*where, "The provider does not take pushed requests; the browser carries them"),
        "Turn them on at the provider if it can be; they are used then",
    )


def _scopes(settings: Settings, metadata: ProviderMetadata) -> Finding:
    where, listed = ("provider.scopes", "BFF_SCOPES"), metadata.scopes_supported
    if listed is None:
        return note(*where, "The metadata do not list scopes", "See after a login which of them were granted")
    missing = [scope for scope in settings.scopes if scope not in listed and scope != "offline_access"]
    if missing:
        return note(
            *(*where, f"The provider does not list {', '.join(missing)}"),
            "Check their spelling; a provider need not list all, above all not those of APIs",
        )
    return good(*where, "The provider lists all scopes that are asked for")


def _offline_access(settings: Settings, metadata: ProviderMetadata) -> Finding:
    where, listed = ("provider.offline_access", "BFF_SCOPES"), metadata.scopes_supported
    if "offline_access" not in settings.scopes:
        return note(
            *(*where, "offline_access is not asked for; without a refresh token calls end with the access token"),
            "Add it to BFF_SCOPES, unless this provider gives refresh tokens unasked",
        )
    if listed is not None and "offline_access" not in listed:
        return degraded(
            *(*where, "The provider does not list offline_access: it may refuse the login, or give no refresh token"),
            "Allow it at the provider, or remove it from BFF_SCOPES and ask for a refresh token the provider's way",
        )
    return good(*where, "offline_access is asked for")


def _userinfo(settings: Settings, metadata: ProviderMetadata) -> Finding:
    where, fault = ("provider.userinfo", "BFF_USERINFO"), configuration_fault(settings, metadata)
    if fault is not None and fault.reason == "userinfo.without_openid":
        return unusable(*where, fault.explanation, "Add openid to BFF_SCOPES, or set BFF_USERINFO=off")
    if settings.userinfo == "on" and metadata.userinfo_endpoint is None:
        return unusable(*where, "BFF_USERINFO is on, but the provider has no such endpoint", "Set BFF_USERINFO=auto")
    if settings.userinfo == "auto" and metadata.userinfo_endpoint is None:
        return note(
            *(*where, "There is no UserInfo endpoint; claims come from the ID token alone"),
            "Have the provider put the claims of BFF_SESSION_CLAIMS into the ID token",
        )
    return good(*where, f"BFF_USERINFO is {settings.userinfo}, which the provider allows")


def _revocation(metadata: ProviderMetadata) -> Finding:
    where = ("provider.revocation", "BFF_ISSUER")
    if metadata.revocation_endpoint is None:
        return degraded(
            *(*where, "Tokens cannot be revoked; after a logout they live on at the provider until they expire"),
            "Turn revocation (RFC 7009) on at the provider, or keep its tokens' lifetimes short",
        )
    return good(*where, "Tokens are revoked at logout")


def _end_session(settings: Settings, metadata: ProviderMetadata) -> Finding:
    where = ("provider.end_session", "BFF_ISSUER")
    if settings.logout_url is not None:
        return good("provider.end_session", "BFF_LOGOUT_URL", "A logout goes on to the page that is configured")
    if metadata.end_session_endpoint is None:
        return degraded(
            *(*where, "A logout ends the session here alone: the next login needs no password"),
            "Turn RP-Initiated Logout on at the provider, or name its own logout page in BFF_LOGOUT_URL",
        )
    if not settings.id_token_hint and "openid" in settings.scopes:
        return note(
            *("provider.end_session", "BFF_ID_TOKEN_HINT", "A logout goes on to the provider without the ID token"),
            "Try it once: the provider may ask the user whether to log out, and a few refuse; then set it to on",
        )
    return good(*where, "A logout goes on to the provider")


def _backchannel_logout(metadata: ProviderMetadata) -> Finding:
    where = ("provider.backchannel_logout", "BFF_ISSUER")
    if not metadata.backchannel_logout_supported:
        return note(
            *(*where, "The provider does not tell of logouts; a session ends here at its limits, or at a refresh"),
            "Turn Back-Channel Logout on at the provider if it can be, or keep BFF_SESSION_MAX short",
        )
    if not metadata.backchannel_logout_session_supported:
        return note(
            *(*where, "Logouts at the provider name the user, not the session: all of the user's sessions end"),
            "Have logout tokens carry sid if the provider can do it",
        )
    return good(*where, "Logouts at the provider end sessions here")


def _algorithms(settings: Settings, metadata: ProviderMetadata) -> Iterator[Finding]:
    where, configured = ("provider.algorithms", "BFF_ID_TOKEN_ALG"), settings.id_token_alg
    listed = metadata.id_token_signing_alg_values_supported
    if "openid" not in settings.scopes:
        if configured is not None:
            yield note(*where, "Without openid there is no ID token", "Remove BFF_ID_TOKEN_ALG, or add openid")
    elif configured is None:
        yield good("provider.algorithms", "BFF_ISSUER", f"ID tokens may be signed with {', '.join(listed)}")
    elif configured in listed or equivalent(configured) in listed:
        yield good(*where, f"ID tokens are signed with {configured}, which the provider lists")
    else:
        yield unusable(
            *(*where, f"The provider signs ID tokens with {', '.join(listed)}, never with {configured}"),
            "Name the one this client is registered for (id_token_signed_response_alg), or remove the variable",
        )
