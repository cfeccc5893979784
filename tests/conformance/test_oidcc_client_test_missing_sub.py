"""An ID token without sub."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie("the ID token has no sub", Bend(tokens=Tokens(claims={"sub": ...})), "id_token.sub")


def test_an_id_token_about_nobody_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
