"""An ID token with a second audience that nobody trusts."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend, Tokens
from tests.support.login_lies import LoginLie, assert_refused
from tests.support.signed_tokens import CLIENT_ID as STRANGER

LIE = LoginLie(
    "the ID token has a second audience",
    Bend(tokens=Tokens(claims={"aud": ["timesheets", STRANGER]})),
    "id_token.audience",
)


def test_an_id_token_for_somebody_else_as_well_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
