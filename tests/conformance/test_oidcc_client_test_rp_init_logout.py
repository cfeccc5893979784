"""A logout here ends the provider's session too, and the browser comes back."""

from __future__ import annotations

from tests.support.deployment import Deployment
from tests.support.lies import Bend
from tests.support.module_drives import log_out_and_return

BEND = Bend(logout_return={})


def test_a_logout_goes_to_the_provider_and_comes_back(relying_party: Deployment) -> None:
    log_out_and_return(relying_party, "a logout goes to the provider and comes back", BEND)
