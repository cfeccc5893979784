"""An authorization response without state."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend
from tests.support.login_lies import LoginLie, assert_refused

LIE = LoginLie("the response's state is missing", Bend(response={"state": ...}), "callback.malformed", calls=())


def test_a_response_without_state_is_refused(relying_party: Deployment) -> None:
    assert_refused(LIE, LIE.tell_to(relying_party))
