"""Metrics: what is counted is what Prometheus reads, under labels from closed lists."""

from __future__ import annotations

import inspect

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bff import errors
from bff.errors import GatewayError
from bff.session.store import END_REASONS
from bff.stores import redis_faults
from bff.telemetry import CODES, DURATION_BOUNDS, OTHER, STORE_FAULTS, Metrics
from bff.telemetry import END_REASONS as COUNTED_END_REASONS


def samples(metrics: Metrics) -> dict[str, float]:
    """Return what Prometheus would read: `name{label="value"}` and number."""
    text = generate_latest(metrics.registry).decode()
    return {
        sample.name + "".join(f"[{sample.labels[label]}]" for label in sorted(sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    "status, status_class",
    [(100, "1xx"), (200, "2xx"), (204, "2xx"), (304, "3xx"), (404, "4xx"), (499, "4xx"), (599, "5xx")],
)
def test_a_call_counts_under_its_route_and_status_class(status: int, status_class: str) -> None:
    metrics = Metrics()
    metrics.meter("/api").observe(status, 0.1)
    read = samples(metrics)
    assert read[f"bff_requests_total[/api][{status_class}]"] == 1
    assert sum(value for name, value in read.items() if name.startswith("bff_requests_total")) == 1


@pytest.mark.parametrize("status", [0, 99, 600, 999, -1])
def test_a_status_that_is_none_counts_as_other(status: int) -> None:
    metrics = Metrics()
    metrics.meter("/api").observe(status, 0.1)
    assert samples(metrics)["bff_requests_total[/api][other]"] == 1


def test_durations_count_in_every_bucket_that_holds_them() -> None:
    metrics = Metrics()
    meter = metrics.meter("/api")
    for seconds in (0.0, 0.005, 0.0051, 100.0):
        meter.observe(200, seconds)
    read = samples(metrics)
    assert read["bff_request_duration_seconds_bucket[0.005][/api]"] == 2
    assert read["bff_request_duration_seconds_bucket[0.01][/api]"] == 3
    assert read[f"bff_request_duration_seconds_bucket[{DURATION_BOUNDS[-1]}][/api]"] == 3
    assert read["bff_request_duration_seconds_bucket[+Inf][/api]"] == 4
    assert read["bff_request_duration_seconds_count[/api]"] == 4
    assert read["bff_request_duration_seconds_sum[/api]"] == pytest.approx(100.0101)


def test_routes_are_counted_apart_and_a_route_has_one_meter() -> None:
    metrics = Metrics()
    assert metrics.meter("/api") is metrics.meter("/api")
    metrics.meter("/api").observe(200, 0.1)
    metrics.observe("bff.session", "GET", 200, 0.1)
    read = samples(metrics)
    assert (read["bff_requests_total[/api][2xx]"], read["bff_requests_total[bff.session][2xx]"]) == (1, 1)


def test_a_routes_name_cannot_break_the_exposition() -> None:
    metrics = Metrics()
    metrics.meter('/a"\n} bff_logins_total 9').observe(200, 0.1)
    assert samples(metrics)['bff_requests_total[/a"\n} bff_logins_total 9][2xx]'] == 1


def test_a_value_outside_the_closed_list_counts_as_other_and_adds_no_series() -> None:
    metrics = Metrics()
    before = len(samples(metrics))
    for number in range(100):
        metrics.logins.add(f"invented-{number}")
    metrics.logins.add("succeeded")
    read = samples(metrics)
    assert (read["bff_logins_total[other]"], read["bff_logins_total[succeeded]"]) == (100, 1)
    assert len(read) == before + 1


def test_the_other_counters_are_read_as_they_were_counted() -> None:
    metrics = Metrics(open_exchanges=lambda: 7)
    metrics.sessions_started += 2
    metrics.refreshes.add("refreshed")
    metrics.sessions_ended.add("backchannel_logout", 3)
    metrics.backchannel_logouts.add("accepted")
    metrics.csrf_rejections.add("origin")
    metrics.store_errors.add("timeout")
    metrics.store_errors.add("anything")
    metrics.refused("no_session")
    metrics.meter("/api").refused("no_session")
    read = samples(metrics)
    assert read["bff_sessions_started_total"] == 2
    assert read["bff_refreshes_total[refreshed]"] == 1
    assert read["bff_sessions_ended_total[backchannel_logout]"] == 3
    assert read["bff_backchannel_logouts_total[accepted]"] == 1
    assert read["bff_csrf_rejections_total[origin]"] == 1
    assert (read["bff_store_errors_total[timeout]"], read[f"bff_store_errors_total[{OTHER}]"]) == (1, 1)
    assert read["bff_refusals_total[no_session]"] == 2
    assert read["bff_open_exchanges"] == 7


def test_every_error_that_becomes_an_answer_has_a_counter() -> None:
    codes = {
        each.code
        for _, each in inspect.getmembers(errors, inspect.isclass)
        if issubclass(each, GatewayError) and hasattr(each, "code") and each is not errors.SettingsInvalid
    }
    assert codes == set(CODES)


def test_every_reason_for_ending_a_session_has_a_counter() -> None:
    assert set(END_REASONS) == set(COUNTED_END_REASONS)


def test_everything_that_can_be_wrong_with_the_store_has_a_counter() -> None:
    reasons = {value for name, value in vars(redis_faults).items() if name.isupper() and isinstance(value, str)}
    reasons |= {redis_faults.reason_of_code(code) for code in redis_faults._CODES}
    reasons |= {reason for _, reason in redis_faults._WITHOUT_CODE}
    assert reasons | {"store.key_taken"} == {f"store.{fault}" for fault in STORE_FAULTS}


def test_metrics_of_two_gateways_in_one_process_are_apart() -> None:
    first, second = Metrics(), Metrics()
    first.logins.add("succeeded")
    assert samples(second)["bff_logins_total[succeeded]"] == 0
