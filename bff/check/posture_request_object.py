"""RFC 9101, signed authorization requests, on the client's side."""

from __future__ import annotations

from typing import Final

from bff.check.posture import Facts, Requirement, met, where


def _signs(facts: Facts) -> bool:
    return facts.settings.request_object == "signed"


JAR_REQUIREMENTS: Final = tuple(
    Requirement(identifier, force, section, asks, where(_signs, "BFF_REQUEST_OBJECT is off", judge))
    for identifier, force, section, asks, judge in (
        ("JAR-1", "must", "4", "iss is the client, aud the issuer", met("a single string")),
        ("JAR-2", "must", "10.2", "An asymmetric signature that the provider takes",
         met("by the newest key that can make one; none of them: no login")),
        ("JAR-3", "should", "10.8", "A type of its own, so that it is taken for nothing else",
         met("oauth-authz-req+jwt")),
        ("JAR-4", "must", "5", "Nothing beside it but client_id", met("in the browser and in the push")),
        ("JAR-5", "advice", "4", "It lives a short time", met("five minutes, with nbf and exp")),
    )
)  # fmt: skip
