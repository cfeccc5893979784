"""What the gateway counts, and how Prometheus reads it.

Every label has a closed list of values: a route's name, a status class, a word from this file. Counters are plain
integers of one process; they become metrics only when they are read.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

DURATION_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the duration histogram's buckets, in seconds."""

LOGIN_OUTCOMES: Final = ("started", "succeeded", "refused", "not_logged_in", "failed", "unavailable", "stray")
REFRESH_OUTCOMES: Final = (
    *("refreshed", "adopted", "grant_refused", "unavailable", "client_refused", "invalid_answer"),
    *("id_token_refused", "subject_changed", "exchanged", "exchange_refused", "client_token", "client_token_refused"),
)
BACKCHANNEL_OUTCOMES: Final = ("accepted", "refused", "unavailable")
CROSS_ORIGIN_RULES: Final = ("fetch_metadata", "origin", "header")
END_REASONS: Final = ("logout", "backchannel_logout", "grant_refused", "replaced", "subject_changed")
STORE_FAULTS: Final = (
    *("timeout", "unreachable", "tls", "no_master", "circuit_open", "busy", "closed", "protocol", "refused"),
    *("ask", "clusterdown", "crossslot", "loading", "masterdown", "misconf", "moved", "noauth", "noperm"),
    *("noreplicas", "noscript", "oom", "readonly", "tryagain", "wrongpass", "wrongtype", "key_taken"),
)
"""What can be wrong with the store: its errors' reasons without `store.` (`bff.stores.redis_faults`)."""
CODES: Final = (
    *("bad_request", "no_session", "session_expired", "session_ended", "step_up_required", "csrf_rejected"),
    *("insufficient_scope", "not_found", "method_not_allowed", "body_too_large", "too_many_sockets"),
    *("headers_too_large", "login_failed", "provider_unavailable", "upstream_unavailable", "upstream_timeout"),
    *("store_unavailable", "internal"),
)
"""The `code` of every error that becomes an answer (`bff.errors`)."""

OTHER: Final = "other"

_STATUS_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
_UNBOUNDED: Final = ("+Inf",)


class Tally:
    """A counter by one label with a closed list of values; anything else counts as `other`."""

    def __init__(self, name: str, documentation: str, label: str, values: Iterable[str]) -> None:
        self.name = name
        self.documentation = documentation
        self.label = label
        self._counts = dict.fromkeys((*values, OTHER), 0)

    def add(self, value: str, count: int = 1) -> None:
        """Count."""
        self._counts[value if value in self._counts else OTHER] += count

    def family(self) -> CounterMetricFamily:
        """Return the metric; `other` only if there were any."""
        family = CounterMetricFamily(self.name, self.documentation, labels=[self.label])
        for value, count in self._counts.items():
            if count or value != OTHER:
                family.add_metric([value], count)
        return family


class RouteMeter:
    """Counts the calls of one route; `observe` is on the hot path and does nothing but add."""

    __slots__ = ("_buckets", "_refusals", "_statuses", "_sum", "route")

    def __init__(self, route: str, refusals: Tally) -> None:
        self.route = route
        self._refusals = refusals
        self._statuses = [0] * 10
        self._buckets = [0] * (len(DURATION_BOUNDS) + 1)
        self._sum = 0.0

    def observe(self, status: int, seconds: float) -> None:
        """Count a finished call; a `status` that is none (0: nothing was answered) counts as `other`."""
        self._statuses[status // 100 if 100 <= status < 600 else 0] += 1
        self._buckets[bisect_left(DURATION_BOUNDS, seconds)] += 1
        self._sum += seconds

    def refused(self, code: str) -> None:
        """Count a call that the gateway refused or could not complete, by its error code."""
        self._refusals.add(code)

    def statuses(self) -> Iterator[tuple[str, int]]:
        """Yield status classes and counts; `other` only if there were any."""
        for position, status in enumerate(_STATUS_CLASSES, 1):
            yield status, self._statuses[position]
        if self._statuses[0]:
            yield OTHER, self._statuses[0]

    def durations(self) -> tuple[list[tuple[str, float]], float]:
        """Return the cumulative buckets and the sum of seconds."""
        bounds = (*map(str, DURATION_BOUNDS), *_UNBOUNDED)
        return list(zip(bounds, accumulate(self._buckets), strict=True)), self._sum


class Metrics(Collector):
    """Everything one process counts; `open_exchanges` is asked whenever the metrics are read.

    So is `certificate_ends_at`, in seconds since the epoch.
    """

    def __init__(self, open_exchanges: Callable[[], int] = lambda: 0) -> None:
        self.open_exchanges = open_exchanges
        self.certificate_ends_at: Callable[[], float | None] = lambda: None
        self.logins = Tally("bff_logins", "Logins that came back from the provider.", "outcome", LOGIN_OUTCOMES)
        self.refreshes = Tally("bff_refreshes", "Token refreshes.", "outcome", REFRESH_OUTCOMES)
        self.sessions_ended = Tally("bff_sessions_ended", "Sessions ended before their limits.", "reason", END_REASONS)
        self.refusals = Tally("bff_refusals", "Requests refused or failed in the gateway.", "code", CODES)
        self.csrf_rejections = Tally(
            "bff_csrf_rejections", "Requests refused as cross-origin.", "rule", CROSS_ORIGIN_RULES
        )
        self.store_errors = Tally("bff_store_errors", "Requests that the store failed.", "reason", STORE_FAULTS)
        self.backchannel_logouts = Tally(
            "bff_backchannel_logouts", "Logouts sent by the provider.", "outcome", BACKCHANNEL_OUTCOMES
        )
        self.sessions_started = 0
        self._meters: dict[str, RouteMeter] = {}
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def meter(self, route: str) -> RouteMeter:
        """Return the meter of a route, made on first use; `route` is a name from the configuration, never a path."""
        meter = self._meters.get(route)
        if meter is None:
            meter = self._meters[route] = RouteMeter(route, self.refusals)
        return meter

    def observe(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that the gateway itself answered; `route` is an endpoint's name, never a path."""
        self.meter(route).observe(status, seconds)

    def refused(self, code: str) -> None:
        """Count an error that became an answer, by its code."""
        self.refusals.add(code)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics as they are now."""
        requests = CounterMetricFamily("bff_requests", "Requests answered.", labels=["route", "status"])
        durations = HistogramMetricFamily(
            "bff_request_duration_seconds", "Time from a request's head to the end of its answer.", labels=["route"]
        )
        for meter in tuple(self._meters.values()):
            for status, count in meter.statuses():
                requests.add_metric([meter.route, status], count)
            buckets, total = meter.durations()
            durations.add_metric([meter.route], buckets, total)
        yield requests
        yield durations
        yield CounterMetricFamily("bff_sessions_started", "Sessions started.", value=self.sessions_started)
        for tally in (
            *(self.logins, self.refreshes, self.sessions_ended, self.refusals, self.csrf_rejections),
            *(self.backchannel_logouts, self.store_errors),
        ):
            yield tally.family()
        yield GaugeMetricFamily("bff_open_exchanges", "Proxied calls under way now.", value=self.open_exchanges())
        ends_at = self.certificate_ends_at()
        if ends_at is not None:
            yield GaugeMetricFamily(
                "bff_client_certificate_expires_timestamp_seconds", "When the client's certificate ends.", value=ends_at
            )


def serve_metrics(port: int, registry: CollectorRegistry, host: str = "127.0.0.1") -> Callable[[], None]:
    """Serve the registry to Prometheus on a port of its own; returns what stops it. Raises `OSError`."""
    server, thread = start_http_server(port, addr=host, registry=registry)
    return lambda: _stop(server, thread)


def _stop(server: WSGIServer, thread: threading.Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()
