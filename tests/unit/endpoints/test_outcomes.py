"""What refused requests are counted under."""

from __future__ import annotations

import pytest

from bff.endpoints.outcomes import Outcomes
from bff.errors import StoreUnavailable
from bff.telemetry import OTHER, Metrics


@pytest.mark.parametrize(
    ("reason", "label"),
    [("store.oom", "oom"), ("store.timeout", "timeout"), ("refresh.contended", OTHER), ("store.invented", OTHER)],
)
def test_a_fault_of_the_store_is_counted_by_what_was_wrong(reason: str, label: str) -> None:
    metrics = Metrics()
    Outcomes(metrics).refused_call(StoreUnavailable(reason), "1", "/api")
    counted = {
        sample.labels["reason"]: sample.value for sample in metrics.store_errors.family().samples if sample.value
    }
    assert counted == {label: 1}
