"""A logout token for another client."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Tokens
from tests.support.logout_lies import LogoutScene, assert_refused_with_400
from tests.support.signed_tokens import CLIENT_ID as STRANGER

SCENE = LogoutScene("its aud is another client", "logout_token.audience", Tokens(claims={"aud": STRANGER}))


def test_a_logout_token_for_another_client_ends_nothing(relying_party: Deployment) -> None:
    assert_refused_with_400(SCENE, SCENE.tell_to(relying_party))
