"""The complete code flow: the token request, and UserInfo with the token it brought."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend
from tests.support.login_lies import LoginQuirk, assert_accepted

QUIRK = LoginQuirk("everything is as it should be", Bend())


def test_a_login_by_the_code_flow_ends_with_a_session(relying_party: Deployment) -> None:
    assert_accepted(QUIRK, QUIRK.tell_to(relying_party))
