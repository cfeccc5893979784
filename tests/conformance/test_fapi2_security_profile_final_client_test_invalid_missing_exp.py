"""An ID token without exp."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie("the ID token has no exp", Bend(tokens=Tokens(claims={"exp": ...})), "id_token.exp")


def test_an_id_token_that_never_expires_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
