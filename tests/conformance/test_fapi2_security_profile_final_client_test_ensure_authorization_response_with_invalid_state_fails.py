"""An authorization response with another state."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie(
    "the response's state is another",
    Bend(response={"state": "c3RhdGU-c3RhdGU-c3RhdGU-c3RhdGU"}),
    "callback.state_forged",
    calls=(),
)


def test_a_response_with_another_state_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
