"""A logout token with the event of something else."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Tokens
from tests.support.logout_lies import LogoutScene, assert_refused_with_400
from tests.support.lying_provider import LOGOUT_EVENT

SCENE = LogoutScene(
    "its event is another", "logout_token.events", Tokens(claims={"events": {f"{LOGOUT_EVENT}-other": {}}})
)


def test_a_logout_token_with_another_event_ends_nothing(relying_party: Deployment) -> None:
    assert_refused_with_400(SCENE, SCENE.tell_to(relying_party))
