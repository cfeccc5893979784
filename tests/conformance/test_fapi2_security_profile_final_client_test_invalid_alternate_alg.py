"""An ID token signed with the right key and an algorithm that the profile does not have."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "the ID token is signed with RS256",
    Bend(tokens=Tokens(forge=lambda draft: draft.signed(algorithm="RS256"))),
    "id_token.algorithm",
)


def test_an_id_token_signed_with_another_algorithm_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
