"""A refreshed ID token of another issuer."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Tokens
from tests.support.refresh_lies import RefreshScene, assert_lie_unused

SCENE = RefreshScene("the ID token's iss is another", Tokens(claims={"iss": "https://attacker.example"}), is_alive=True)


def test_nothing_of_a_refresh_is_used_whose_id_token_is_of_another_issuer(relying_party: Deployment) -> None:
    assert_lie_unused(SCENE, SCENE.tell_to(relying_party), "id_token.issuer")
    assert relying_party.login(SCENE.name).calls[-1] == "refresh", "nobody is asked with the new token"
