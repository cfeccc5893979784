"""RFC 9126, pushed authorization requests, on the client's side."""

from __future__ import annotations

from typing import Final

from bff.check.posture import Facts, Judgement, Requirement, Standing, met, where


def pushes(facts: Facts) -> bool:
    """Whether authorization requests are pushed, as far as is known."""
    offered = facts.metadata is None or facts.metadata.pushed_authorization_request_endpoint is not None
    return offered and facts.settings.par != "off"


def _audience(facts: Facts) -> Judgement:
    if facts.settings.client_auth != "private_key_jwt":
        return Standing.WAIVED, "there are no assertions; the client authenticates otherwise"
    return Standing.MET, "a single string, for every endpoint"


def _agreement(facts: Facts) -> Judgement:
    if not facts.sends_proofs:
        return Standing.WAIVED, "no proofs are sent"
    return Standing.MET, "the push has both, made with one key"


_OTHERWISE: Final = "requests are not pushed: the provider has no endpoint for them, or BFF_PAR is off"

PAR_REQUIREMENTS: Final = tuple(
    Requirement(identifier, force, section, asks, where(pushes, _OTHERWISE, judge))
    for identifier, force, section, asks, judge in (
        ("PAR-1", "must", "2.1", "Posted with the client's authentication, without a request_uri",
         met("authenticated as at the token endpoint")),
        ("PAR-2", "must", "4", "A request_uri is used once", met("every login pushes a request of its own")),
        ("PAR-3", "should", "7.5", "PKCE, and a state or nonce of its own, in the push", met("all of them, always")),
        ("PAR-4", "advice", "2.2", "The answer is checked, its expires_in too",
         met("the browser is sent there at once; an answer that breaks a rule is refused")),
        ("PAR-5", "advice", "2", "Assertions are made for the issuer", _audience),
        ("PAR-6", "advice", "5", "Pushed where the provider requires it",
         met("a contradiction is told at start; there is no login then")),
        ("PAR-7", "advice", "2.3", "A refusal is a login to try again", met("a page that says so, with the link")),
        ("PAR-8", "must", "2.1", "dpop_jkt and the proof of a push agree (RFC 9449 section 10.1)", _agreement),
    )
)  # fmt: skip
