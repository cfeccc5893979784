"""An ID token that expired more than five minutes ago."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens, ago
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "the ID token has expired", Bend(tokens=Tokens(claims={"exp": ago(360), "iat": ago(560)})), "id_token.expired"
)


def test_an_expired_id_token_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
