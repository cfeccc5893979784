"""A logout token without a signature."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.forgeries import unsigned
from tests.support.lies import Tokens
from tests.support.logout_lies import LogoutScene, assert_refused_with_400

SCENE = LogoutScene("it is not signed", "logout_token.algorithm", Tokens(forge=unsigned("none")))


def test_an_unsigned_logout_token_ends_nothing(relying_party: Deployment) -> None:
    assert_refused_with_400(SCENE, SCENE.tell_to(relying_party))
