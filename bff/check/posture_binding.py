"""RFC 9449 and RFC 8705, access tokens bound to a key or to a certificate, on the client's side."""

from __future__ import annotations

from typing import Final

from bff.check.posture import Facts, Judgement, Requirement, Standing, either, met, where


def _type(facts: Facts) -> Judgement:
    if facts.settings.dpop == "require":
        return Standing.MET, "a token of any other type is refused"
    return Standing.MET, "BFF_DPOP is auto: the type of the token that comes decides how it is used"


def _has_certificate(facts: Facts) -> bool:
    return facts.settings.client_cert is not None


def _bound(facts: Facts) -> Judgement:
    if facts.metadata is None:
        return Standing.UNKNOWN, "the provider's metadata could not be had"
    return either(
        facts.metadata.tls_client_certificate_bound_access_tokens,
        "the provider says that it binds them",
        "the provider does not say that it binds them; ask for it for this client",
    )


def _shown(facts: Facts) -> Judgement:
    if facts.settings.dpop == "require":
        return Standing.WAIVED, "every token is bound to a key instead"
    return Standing.MET, "to those that carry tokens and ask for it; routes with token none show it to nobody"


_NO_PROOFS: Final = "no proofs are sent: BFF_DPOP is off, or the provider does not list ES256 for them"
_NO_CERTIFICATE: Final = "BFF_CLIENT_CERT is not set"

DPOP_REQUIREMENTS: Final = tuple(
    Requirement(identifier, force, section, asks, where(lambda facts: facts.sends_proofs, _NO_PROOFS, judge))
    for identifier, force, section, asks, judge in (
        ("DPOP-1", "must", "4.2", "dpop+jwt, an asymmetric algorithm, the public key alone", met("ES256")),
        ("DPOP-2", "must", "4.2", "A unique jti; htm; htu without query and fragment; iat",
         met("128 random bits; the request's method and own URL")),
        ("DPOP-3", "must", "4.2", "ath with an access token", met("on every call and at UserInfo")),
        ("DPOP-4", "must", "4.2", "The server's nonce where it has given one", met("in every proof after it")),
        ("DPOP-5", "must", "5", "A proof with codes and refreshes", met("with every token request")),
        ("DPOP-6", "must", "7.1", "The scheme DPoP and exactly one proof", met("the browser's is removed")),
        ("DPOP-7", "should", "7.3", "A new proof with every attempt", met("no proof is sent twice")),
        ("DPOP-8", "must", "8.2", "The newest nonce replaces the one before, whatever answer it came with",
         met("taken from successes too")),
        ("DPOP-9", "advice", "9", "Once more if only the nonce was missing",
         met("once; a body is kept for that up to 64 KiB")),
        ("DPOP-10", "must", "9", "Nonces of different servers are kept apart",
         met("by origin, and apart for the provider's own resources")),
        ("DPOP-11", "advice", "10", "A fresh key for each login", met("drawn when it begins, kept under seal")),
        ("DPOP-12", "advice", "5", "What becomes of a token of another type is decided, not assumed", _type),
    )
)  # fmt: skip

MTLS_REQUIREMENTS: Final = tuple(
    Requirement(identifier, force, section, asks, where(_has_certificate, _NO_CERTIFICATE, judge))
    for identifier, force, section, asks, judge in (
        ("MTLS-1", "must", "2", "Every request names the client by client_id", met("beside whatever proves it")),
        ("MTLS-2", "must", "5", "mtls_endpoint_aliases are used", met("for all endpoints that have one")),
        ("MTLS-3", "must", "3", "Upstreams are shown the certificate that tokens are bound to", _shown),
        ("MTLS-4", "should", "3.3", "The provider says that it binds tokens", _bound),
    )
)  # fmt: skip
