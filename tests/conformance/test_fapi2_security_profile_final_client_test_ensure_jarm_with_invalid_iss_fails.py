"""A signed authorization response of another issuer."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "the signed response's iss is another",
    Bend(signed_response=Tokens(claims={"iss": "https://attacker.example"})),
    "response.issuer",
    calls=(),
)


def test_a_signed_response_of_another_issuer_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
