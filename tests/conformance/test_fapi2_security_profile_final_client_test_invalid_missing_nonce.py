"""An ID token without the nonce."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie("the ID token has no nonce", Bend(tokens=Tokens(claims={"nonce": ...})), "id_token.nonce")


def test_an_id_token_without_nonce_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
