"""The FAPI 2.0 plans: every way to authenticate the client and to bind its tokens, as OpenID and as OAuth client."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from .drives import call_accounts, call_accounts_without_login, refuse_metadata, sign_in_refused
from .plan import Module, Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX: Final = "fapi2-security-profile-final-client-test-"
SECURITY_PROFILE: Final = "fapi2-security-profile-final-client-test-plan"
MESSAGE_SIGNING: Final = "fapi2-message-signing-final-client-test-plan"

ACCEPTED: Final = Module(call_accounts)
REFUSED: Final = Module(sign_in_refused)
WITHOUT_LOGIN: Final = Module(call_accounts_without_login)

ALWAYS: Final = {
    "happy-path": ACCEPTED,
    "discovery-issuer-mismatch": Module(refuse_metadata, ready=False, stop_first=True),
    "ensure-authorization-response-with-invalid-state-fails": REFUSED,
    "ensure-authorization-response-with-invalid-missing-state-fails": REFUSED,
    "token-endpoint-response-without-expires_in": ACCEPTED,
    "token-type-case-insensitivity": ACCEPTED,
}
WITH_ID_TOKEN: Final = {
    "valid-aud-as-array": ACCEPTED,
    **dict.fromkeys(
        (
            *("invalid-iss", "invalid-missing-iss", "invalid-aud", "invalid-missing-aud", "invalid-secondary-aud"),
            *("invalid-null-alg", "invalid-alternate-alg", "invalid-expired-exp", "invalid-missing-exp"),
            *("invalid-nonce", "invalid-missing-nonce"),
        ),
        REFUSED,
    ),
}
WITH_PLAIN_RESPONSE: Final = {
    "invalid-authorization-response-iss": REFUSED,
    "remove-authorization-response-iss": REFUSED,
}
WITH_SIGNED_RESPONSE: Final = dict.fromkeys(
    (
        *("ensure-jarm-without-iss-fails", "ensure-jarm-with-invalid-iss-fails", "ensure-jarm-without-aud-fails"),
        *("ensure-jarm-with-invalid-aud-fails", "ensure-jarm-without-exp-fails", "ensure-jarm-with-expired-exp-fails"),
        *("ensure-jarm-with-invalid-sig-fails", "ensure-jarm-signature-is-not-none"),
    ),
    REFUSED,
)
WITH_DPOP: Final = {
    "happy-path-no-dpop-nonce": ACCEPTED,
    "rs-dpop-auth-scheme-case-insensitivity": ACCEPTED,
}
CLIENT_CREDENTIALS: Final = {
    "happy-path": WITHOUT_LOGIN,
    "token-type-case-insensitivity": WITHOUT_LOGIN,
}

AUTHENTICATIONS: Final = {"private_key_jwt": "private_key_jwt", "mtls": "tls_client_auth"}
CLIENT_TYPES: Final = {"oidc": "OpenID Connect", "plain_oauth": "OAuth"}
BINDINGS: Final = ("dpop", "mtls")


def fapi_plans() -> tuple[Plan, ...]:
    """The plans in the order of the suite's documentation."""
    combinations = list(product(AUTHENTICATIONS, BINDINGS))
    return (
        *(_security_profile(kind, *combination) for kind, combination in product(CLIENT_TYPES, combinations)),
        *(_client_credentials(*combination) for combination in combinations),
        _message_signing(),
    )


def _security_profile(client_type: str, authentication: str, binding: str) -> Plan:
    is_openid = client_type == "oidc"
    modules = (ALWAYS, WITH_ID_TOKEN if is_openid else {}, WITH_PLAIN_RESPONSE, WITH_DPOP if binding == "dpop" else {})
    scope = "openid accounts" if is_openid else "accounts"
    return Plan(
        key=f"fapi2-{client_type.replace('_', '-')}-{authentication.replace('_', '-')}-{binding}",
        name=SECURITY_PROFILE,
        title=f"FAPI 2.0 Security Profile, {CLIENT_TYPES[client_type]}, {authentication} and {binding}",
        variant=_variant(client_type, authentication, binding),
        modules=_named(modules),
        settings={**_settings("fapi2", authentication, binding), "BFF_SCOPES": scope},
        scope=scope,
        is_financial=True,
    )


def _client_credentials(authentication: str, binding: str) -> Plan:
    without_nonce = {"happy-path-no-dpop-nonce": WITHOUT_LOGIN}
    return Plan(
        key=f"fapi2-client-credentials-{authentication.replace('_', '-')}-{binding}",
        name=SECURITY_PROFILE,
        title=f"FAPI 2.0 Security Profile, client credentials, {authentication} and {binding}",
        variant={
            **_variant("plain_oauth", authentication, binding),
            "fapi_profile": "fapi_client_credentials_grant",
        },
        modules=_named((CLIENT_CREDENTIALS, without_nonce if binding == "dpop" else {})),
        settings={**_settings("fapi2", authentication, binding), "BFF_SCOPES": "accounts"},
        scope="accounts",
        is_financial=True,
        token="client",
    )


def _message_signing() -> Plan:
    authentication, binding = "private_key_jwt", "dpop"
    return Plan(
        key="fapi2-message-signing",
        name=MESSAGE_SIGNING,
        title="FAPI 2.0 Message Signing, OpenID Connect, signed requests and responses, private_key_jwt and dpop",
        variant={
            **_variant("oidc", authentication, binding),
            "fapi_request_method": "signed_non_repudiation",
            "fapi_response_mode": "jarm",
        },
        modules=_named((ALWAYS, WITH_ID_TOKEN, WITH_SIGNED_RESPONSE, WITH_DPOP), without=WITH_PLAIN_RESPONSE),
        settings={
            **_settings("fapi2-message-signing", authentication, binding),
            "BFF_SCOPES": "openid accounts",
        },
        scope="openid accounts",
        is_financial=True,
    )


def _variant(client_type: str, authentication: str, binding: str) -> dict[str, str]:
    return {
        "fapi_profile": "plain_fapi",
        "authorization_request_type": "simple",
        "fapi_client_type": client_type,
        "client_auth_type": authentication,
        "sender_constrain": binding,
    }


def _settings(profile: str, authentication: str, binding: str) -> dict[str, str]:
    return {
        "BFF_PROFILE": profile,
        "BFF_CLIENT_AUTH": AUTHENTICATIONS[authentication],
        "BFF_DPOP": "require" if binding == "dpop" else "off",
    }


def _named(parts: Iterable[Mapping[str, Module]], *, without: Iterable[str] = ()) -> dict[str, Module]:
    excluded = set(without)
    return {f"{PREFIX}{name}": module for part in parts for name, module in part.items() if name not in excluded}
