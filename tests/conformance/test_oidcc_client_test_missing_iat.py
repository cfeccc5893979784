"""An ID token that does not say when it was issued."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie("the ID token has no iat", Bend(tokens=Tokens(claims={"iat": ...})), "id_token.iat")


def test_an_id_token_without_iat_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
