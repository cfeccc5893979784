"""An ID token without aud."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie("the ID token has no aud", Bend(tokens=Tokens(claims={"aud": ...})), "id_token.audience")


def test_an_id_token_without_aud_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
