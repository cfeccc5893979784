"""FAPI 2.0 Security Profile and Message Signing, on the client's side; they count where `BFF_PROFILE` is set."""

from __future__ import annotations

from typing import Final

from bff.check.posture import Facts, Judgement, Requirement, Standing, either, met, where
from bff.check.posture_bff import minimal_access
from bff.settings.profile import FAPI2_MESSAGE_SIGNING


def _bound(facts: Facts) -> Judgement:
    how = "to a key of the session" if facts.sends_proofs else "to the client's certificate"
    if facts.metadata is None and not facts.sends_proofs:
        return Standing.UNKNOWN, "the provider's metadata could not be had"
    return either(facts.has_bound_tokens, f"bound {how}", "the provider binds no tokens to certificates")


def _authentication(facts: Facts) -> Judgement:
    return either(facts.has_key_authentication, facts.settings.client_auth, facts.settings.client_auth)


def _assertion(facts: Facts) -> Judgement:
    if facts.settings.client_auth != "private_key_jwt":
        return Standing.WAIVED, "there are no assertions; the client authenticates by its certificate"
    return Standing.MET, "the issuer, as a string"


def _aliases(facts: Facts) -> Judgement:
    if facts.settings.client_cert is None:
        return Standing.WAIVED, "there is no client certificate"
    return Standing.MET, "used where the provider has them"


def _nonce(facts: Facts) -> Judgement:
    if not facts.sends_proofs:
        return Standing.WAIVED, "no proofs are sent"
    return Standing.MET, "the provider's and each upstream's"


def _pushed(facts: Facts) -> Judgement:
    if facts.metadata is None:
        return Standing.UNKNOWN, "the provider's metadata could not be had"
    return either(
        facts.metadata.pushed_authorization_request_endpoint is not None,
        "always",
        "the provider has no endpoint for it: there is no login",
    )


def _issuer(facts: Facts) -> Judgement:
    return Standing.MET, "required in every authorization response, whatever the metadata say"


def _signed(facts: Facts) -> bool:
    return facts.settings.profile == FAPI2_MESSAGE_SIGNING


def _profile(facts: Facts) -> bool:
    return facts.settings.profile is not None


_NO_PROFILE: Final = "BFF_PROFILE is not set"
_NO_SIGNING: Final = "BFF_PROFILE is not fapi2-message-signing"

FAPI_REQUIREMENTS: Final = tuple(
    Requirement(identifier, force, section, asks, where(_profile, _NO_PROFILE, judge))
    for identifier, force, section, asks, judge in (
        ("FAPI-1", "must", "5.3.3", "Sender-constrained tokens", _bound),
        ("FAPI-2", "must", "5.3.3", "Client authentication by mutual TLS or private_key_jwt", _authentication),
        ("FAPI-3", "must", "5.3.3", "Access tokens in the header alone", met("it travels in Authorization")),
        ("FAPI-4", "must", "5.3.3", "No open redirector", met("paths of this origin and the provider alone")),
        ("FAPI-5", "must", "5.3.3", "The issuer is the audience of assertions, as a string", _assertion),
        ("FAPI-6", "must", "5.3.3", "Refresh tokens, and their rotation", met("once per session on all instances")),
        ("FAPI-7", "must", "5.3.3", "mtls_endpoint_aliases", _aliases),
        ("FAPI-8", "must", "5.3.3", "Nonces that servers give for proofs", _nonce),
        ("FAPI-9", "must", "5.3.3", "Endpoints from the metadata alone", met("none can be configured")),
        ("FAPI-10", "must", "5.3.3", "The issuer from a trusted source", met("BFF_ISSUER, in the configuration")),
        ("FAPI-11", "must", "5.3.3", "The metadata's issuer is that one", met("compared to the byte")),
        ("FAPI-12", "must", "5.3.3", "A login begins with the user's own step",
         met("a navigation; no script, frame or prefetch begins one")),
        ("FAPI-13", "should", "5.3.3", "Least privilege", minimal_access),
        ("FAPI-14", "must", "5.3.3", "The authorization code grant", met("no other starts a session")),
        ("FAPI-15", "must", "5.3.3", "Pushed authorization requests", _pushed),
        ("FAPI-16", "must", "5.3.3", "PKCE with S256", met("always")),
        ("FAPI-17", "must", "5.3.3", "A challenge for each request, bound to the browser",
         met("256 random bits, in the login's sealed cookie")),
        ("FAPI-18", "must", "5.3.3", "iss in the authorization response", _issuer),
        ("FAPI-19", "must", "5.3.3", "Nothing but client_id and request_uri in the browser", met("nothing else")),
        ("FAPI-20", "should", "5.3.3", "A nonce of 64 characters at most", met("43")),
        ("FAPI-21", "must", "5.4", "PS256, ES256 or EdDSA, never none", met("ours and the provider's; no others")),
        ("FAPI-22", "must", "5.4", "RSA keys of 2048 bits, curves of 224", met("weaker keys are not taken")),
        ("FAPI-23", "must", "5.4", "128 bits of entropy in credentials", met("256 in handles, states and verifiers")),
        ("FAPI-24", "advice", "5.3.3", "One exchange of a code for each login, with a key of its own",
         met("a login is taken once; each draws its key")),
        ("FAPI-25", "must", "5.2", "TLS 1.2 with recommended cipher suites, or 1.3", met("no others are offered")),
    )
) + tuple(
    Requirement(identifier, force, section, asks, where(_signed, _NO_SIGNING, judge))
    for identifier, force, section, asks, judge in (
        ("FAPI-26", "must", "5.3.2", "Message Signing: signed authorization requests", met("with nbf and exp")),
        ("FAPI-27", "must", "5.4.2", "Message Signing: signed authorization responses", met("no other is taken")),
    )
)  # fmt: skip
