"""Claims are asked for by scope, and read from UserInfo."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend
from tests.support.login_lies import LoginQuirk, assert_accepted

QUIRK = LoginQuirk(
    "UserInfo has the claims of the scopes",
    Bend(userinfo={"name": "Ada", "email": "ada@provider.example"}),
    claims={"name": "Ada", "email": "ada@provider.example"},
)


def test_claims_are_asked_for_by_scope_and_read_from_userinfo(relying_party: Deployment) -> None:
    assert_accepted(QUIRK, QUIRK.tell_to(relying_party))
    (login,) = relying_party.realm.logins("userinfo-has-the-claims-of-the-scopes")
    assert {"openid", "profile", "email"} <= {*login.parameters["scope"].split()}
