"""An ID token whose iss is not the issuer's."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "the ID token's iss is another", Bend(tokens=Tokens(claims={"iss": "https://attacker.example"})), "id_token.issuer"
)


def test_an_id_token_of_another_issuer_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
