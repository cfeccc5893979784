"""An ID token without a signature."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.forgeries import unsigned
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie("the ID token is not signed", Bend(tokens=Tokens(forge=unsigned("none"))), "id_token.algorithm")


def test_an_unsigned_id_token_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
