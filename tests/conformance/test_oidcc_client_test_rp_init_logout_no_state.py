"""The provider sends the browser back from a logout without the state."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend
from tests.support.module_drives import log_out_and_return

BEND = Bend(logout_return={"state": ...})


def test_a_return_without_state_is_survived(relying_party: Deployment) -> None:
    log_out_and_return(relying_party, "a return without state is survived", BEND)
