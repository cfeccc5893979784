"""Which stores the contract was tested on."""

from __future__ import annotations

import pytest

from tests.support.left_out import leave_out
from tests.support.stores import PLACES, available_places


@pytest.mark.parametrize("name", PLACES)
def test_the_contract_is_tested_on(name: str) -> None:
    if name not in available_places():
        leave_out("needs a Redis server built with TLS (redis-server) on the PATH; TLS in front of Valkey is tested")
