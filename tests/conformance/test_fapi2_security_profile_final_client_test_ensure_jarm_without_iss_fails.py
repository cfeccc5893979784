"""A signed authorization response that does not say who signed it."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "the signed response has no iss", Bend(signed_response=Tokens(claims={"iss": ...})), "response.issuer", calls=()
)


def test_a_signed_response_without_iss_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
