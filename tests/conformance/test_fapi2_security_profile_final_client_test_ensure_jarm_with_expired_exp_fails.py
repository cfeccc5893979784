"""A signed authorization response that has expired."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens, ago
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "the signed response has expired",
    Bend(signed_response=Tokens(claims={"exp": ago(360)})),
    "response.expired",
    calls=(),
)


def test_an_expired_signed_response_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
