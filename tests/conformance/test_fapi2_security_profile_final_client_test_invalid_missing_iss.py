"""An ID token without iss."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie("the ID token has no iss", Bend(tokens=Tokens(claims={"iss": ...})), "id_token.issuer")


def test_an_id_token_without_iss_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
