"""A logout token with a nonce, as ID tokens have it."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Tokens
from tests.support.logout_lies import LogoutScene, assert_refused_with_400

SCENE = LogoutScene("it has a nonce", "logout_token.nonce", Tokens(claims={"nonce": "abc"}))


def test_a_logout_token_with_a_nonce_ends_nothing(relying_party: Deployment) -> None:
    assert_refused_with_400(SCENE, SCENE.tell_to(relying_party))
