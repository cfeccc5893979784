"""UserInfo about another user than the ID token's."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "UserInfo is about another user",
    Bend(userinfo={"sub": "user-of-somebody-else"}),
    "userinfo.subject",
    calls=("token", "userinfo"),
)


def test_userinfo_about_another_user_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
