"""An authorization response that is a token without a signature."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.forgeries import unsigned
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "the response is not signed", Bend(signed_response=Tokens(forge=unsigned("none"))), "response.algorithm", calls=()
)


def test_a_response_that_nobody_signed_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
