"""A logout token that is as it must be, with a claim that nobody knows."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Tokens
from tests.support.logout_lies import LogoutScene, assert_ended

SCENE = LogoutScene("it has a claim nobody knows", tokens=Tokens(claims={"toe": 1}))


def test_a_true_logout_token_ends_the_session(relying_party: Deployment) -> None:
    assert_ended(SCENE.tell_to(relying_party))
