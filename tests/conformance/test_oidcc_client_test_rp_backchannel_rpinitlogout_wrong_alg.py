"""A logout token signed with another algorithm than the client is registered for."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.forgeries import signed_with_client_secret
from tests.support.lies import Tokens
from tests.support.logout_lies import LogoutScene, assert_refused_with_400

SCENE = LogoutScene("its algorithm is another", "logout_token.algorithm", Tokens(forge=signed_with_client_secret))


def test_a_logout_token_signed_in_another_way_ends_nothing(relying_party: Deployment) -> None:
    assert_refused_with_400(SCENE, SCENE.tell_to(relying_party))
