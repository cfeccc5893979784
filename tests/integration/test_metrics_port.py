"""The metrics on their own port."""

from __future__ import annotations

import socket
import urllib.request

import pytest

from bff.telemetry import Metrics, serve_metrics
from tests.support.ports import reserve_port


def test_prometheus_reads_the_metrics_until_they_are_stopped() -> None:
    metrics, port = Metrics(), reserve_port()
    metrics.meter("/api").observe(200, 0.1)
    stop = serve_metrics(port, metrics.registry)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert b'bff_requests_total{route="/api",status="2xx"} 1.0' in answer.read()
    finally:
        stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_port_that_is_taken_is_an_error_and_not_silence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            serve_metrics(taken.getsockname()[1], Metrics().registry)
