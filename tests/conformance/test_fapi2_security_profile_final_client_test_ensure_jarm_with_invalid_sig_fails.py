"""A signed authorization response with a broken signature."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.forgeries import with_broken_signature
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "the response's signature is broken",
    Bend(signed_response=Tokens(forge=with_broken_signature)),
    "response.signature",
    calls=(),
)


def test_a_response_with_a_broken_signature_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
