"""A logout token without the event of a logout."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Tokens
from tests.support.logout_lies import LogoutScene, assert_refused_with_400

SCENE = LogoutScene("its events are missing", "logout_token.events", Tokens(claims={"events": ...}))


def test_a_logout_token_without_its_event_ends_nothing(relying_party: Deployment) -> None:
    assert_refused_with_400(SCENE, SCENE.tell_to(relying_party))
