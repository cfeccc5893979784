"""RFC 9700, the security best current practice of OAuth 2.0, on the client's side."""

from __future__ import annotations

from typing import Final

from bff.check.posture import Facts, Judgement, Requirement, Standing, either, met
from bff.check.posture_bff import bound_tokens, minimal_access


def _nonce(facts: Facts) -> Judgement:
    if not facts.is_openid:
        return Standing.WAIVED, "without openid there is no ID token; state and PKCE are the defence"
    return Standing.MET, "checked in the ID token of the token endpoint, before any token is used"


def _issuer_parameter(facts: Facts) -> Judgement:
    if facts.metadata is None:
        return Standing.UNKNOWN, "the provider's metadata could not be had"
    if facts.metadata.authorization_response_iss_parameter_supported:
        return Standing.MET, "iss is required in every authorization response (RFC 9207)"
    return either(
        facts.is_openid,
        "the provider sends no iss; the ID token's is compared",
        "the provider sends no iss, and without openid there is no ID token to compare",
    )


def _asymmetric(facts: Facts) -> Judgement:
    method = facts.settings.client_auth
    return either(facts.has_key_authentication, method, f"{method}; set BFF_CLIENT_AUTH=private_key_jwt")


def _metadata(facts: Facts) -> Judgement:
    if facts.metadata is None:
        return Standing.MET, "endpoints come from the issuer's metadata alone, which could not be had now"
    return Standing.MET, "all endpoints come from the issuer's metadata, and the issuer in them was compared"


def _proxied(facts: Facts) -> Judgement:
    routes = ", ".join(facts.open_routes)
    return either(
        not routes,
        "fields that upstreams trust are removed and made anew; the way to each upstream is https or this machine",
        f"fields are removed and made anew, but the access token travels unencrypted on {routes}",
    )


def _messages(facts: Facts) -> Judgement:
    if facts.settings.silent_login == "off":
        return Standing.WAIVED, "postMessage is not used"
    return Standing.MET, "a silent login's frame speaks to our own origin, and only our own pages may frame it"


BCP_REQUIREMENTS: Final = (
    Requirement(
        "BCP-1", "must", "2.1", "No open redirector",
        met("login, logout and errors lead to paths of this origin or to the provider alone"),
    ),
    Requirement(
        "BCP-2", "must", "2.1", "No forged authorization response",
        met("a state used once and bound to the browser by a sealed cookie, besides PKCE"),
    ),
    Requirement(
        "BCP-3", "must", "4.7.1", "PKCE relied on only if it is known to be checked",
        met("state is always used as well"),
    ),
    Requirement(
        "BCP-4", "must", "4.7.1", "What state carries is protected and bound to the browser",
        met("the state is signed, and what the login needs is in the sealed cookie it names"),
    ),
    Requirement(
        "BCP-5", "should", "4.2.4", "state counts once",
        met("claimed in the store at the callback, where its cookie is deleted"),
    ),
    Requirement("BCP-6", "must", "2.1.1", "No injected authorization code", met("PKCE always")),
    Requirement(
        "BCP-7", "must", "2.1.1", "Challenge and nonce belong to one login of one browser",
        met("256 random bits each, in the login's sealed cookie"),
    ),
    Requirement("BCP-8", "should", "2.1.1", "S256", met("no other method is ever sent")),
    Requirement("BCP-9", "must", "4.5.3.2", "nonce checked before any token is used", _nonce),
    Requirement(
        "BCP-10", "must", "4.4.2", "With several issuers, each login knows its own",
        met("there is one issuer, and each login knows it all the same"),
    ),
    Requirement("BCP-11", "should", "2.1", "iss in authorization responses (RFC 9207)", _issuer_parameter),
    Requirement("BCP-12", "should", "2.1.2", "No tokens from the authorization endpoint", met("response_type is code")),
    Requirement("BCP-13", "must", "2.4", "No password grant", met("there is none")),
    Requirement("BCP-14", "must", "4.3.2", "No access token in a query", met("it travels in Authorization alone")),
    Requirement("BCP-15", "should", "2.2.1", "Sender-constrained tokens", bound_tokens),
    Requirement("BCP-16", "should", "2.3", "Least scope; an audience per API", minimal_access),
    Requirement("BCP-17", "should", "2.5", "Asymmetric client authentication", _asymmetric),
    Requirement("BCP-18", "should", "2.6", "Configured from metadata", _metadata),
    Requirement(
        "BCP-19", "should", "4.2.4", "The callback shows nothing of third parties, and sends no referrer",
        met("it redirects; its error page has no resources, and Referrer-Policy is no-referrer"),
    ),
    Requirement(
        "BCP-20", "must", "4.13", "A reverse proxy sanitises what upstreams trust, and protects the way",
        _proxied,
    ),
    Requirement("BCP-21", "must", "4.17", "postMessage between exact origins", _messages),
    Requirement("BCP-22", "advice", "4.12", "303 after POST", met("never 307 or 308")),
    Requirement(
        "BCP-23", "advice", "4.14", "Refresh tokens confidential in storage; revocation is no error",
        met("sealed with a key from the browser's cookie and BFF_SECRET_KEYS; a revoked one ends its session"),
    ),
)  # fmt: skip
