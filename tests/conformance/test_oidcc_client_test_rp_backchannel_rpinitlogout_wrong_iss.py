"""A logout token of another issuer."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Tokens
from tests.support.logout_lies import LogoutScene, assert_refused_with_400

SCENE = LogoutScene("its iss is another", "logout_token.issuer", Tokens(claims={"iss": "https://attacker.example"}))


def test_a_logout_token_of_another_issuer_ends_nothing(relying_party: Deployment) -> None:
    assert_refused_with_400(SCENE, SCENE.tell_to(relying_party))
