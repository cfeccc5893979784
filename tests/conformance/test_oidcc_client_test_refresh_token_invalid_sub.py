"""A refreshed ID token about another user: the session ends rather than become theirs."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Tokens
from tests.support.refresh_lies import RefreshScene, assert_ended

SCENE = RefreshScene(
    "the ID token is about another user",
    Tokens(claims={"sub": "user-of-somebody-else"}),
    is_alive=True,
    is_revoked=True,
)


def test_no_session_becomes_another_users_by_a_refresh(relying_party: Deployment) -> None:
    assert_ended(SCENE.tell_to(relying_party))
    assert relying_party.login(SCENE.name).calls[-1] == "refresh", "nobody is asked with the new token"
