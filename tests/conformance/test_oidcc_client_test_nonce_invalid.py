"""An ID token with the nonce of another login."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie("the ID token's nonce is another", Bend(tokens=Tokens(claims={"nonce": "n" * 43})), "id_token.nonce")


def test_an_id_token_of_another_login_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
