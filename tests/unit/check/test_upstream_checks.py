"""Upstreams: each is tried once, and what protects the token on its way is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bff.check.findings import Finding, Level
from bff.check.reach import Unreachable
from bff.check.upstream_checks import UpstreamChecks, UpstreamFindings
from tests.support.provider_settings import provider_settings
from tests.unit.check.facts import FakeNetwork, by_id, worse_than_good

NOW = 1_800_000_000.0
DAY = 86400.0


async def examined(network: FakeNetwork, *routes: dict[str, Any]) -> list[Finding]:
    found = UpstreamFindings()
    listed = {"routes": json.dumps(routes), "upstream_url": ""} if routes else {}
    await UpstreamChecks(provider_settings(**listed), network.connect, lambda: NOW).run(found)
    return found.findings


async def test_an_upstream_by_https_is_good() -> None:
    network = FakeNetwork(ends_at=NOW + 90 * DAY)
    findings = await examined(network)
    assert worse_than_good(findings) == {}
    assert by_id(findings)["upstream.certificate"].seen == "The certificate is trusted, for 90 more days"
    assert by_id(findings)["upstream.reach"].subject == "/api → api.example.com:443"


async def test_routes_to_the_same_place_are_one_attempt() -> None:
    network = FakeNetwork()
    findings = await examined(
        network,
        {"prefix": "/a", "upstream": "http://127.0.0.1:3000/a"},
        {"prefix": "/b", "upstream": "http://127.0.0.1:3000/b"},
    )
    assert network.tried == ["127.0.0.1:3000"]
    assert by_id(findings)["upstream.reach"].subject == "/a, /b → 127.0.0.1:3000"
    assert worse_than_good(findings) == {}


@pytest.mark.parametrize("left", [13 * DAY, -DAY])
async def test_a_certificate_that_ends_soon_is_noted(left: float) -> None:
    findings = await examined(FakeNetwork(ends_at=NOW + left))
    assert worse_than_good(findings) == {"upstream.certificate": Level.NOTE}


@pytest.mark.parametrize(
    "unreachable,found,variable",
    [
        (Unreachable("refuses connections"), "upstream.reach", "BFF_UPSTREAM_URL"),
        (Unreachable("has a certificate nobody knows", is_trust=True), "upstream.certificate", "BFF_CA_FILE"),
    ],
)
async def test_an_upstream_that_cannot_be_reached_degrades(unreachable: Unreachable, found: str, variable: str) -> None:
    findings = await examined(FakeNetwork({"api.example.com:443": unreachable}))
    assert worse_than_good(findings) == {found: Level.DEGRADED}
    assert by_id(findings)[found].variable == variable
    assert by_id(findings)[found].seen == f"The upstream {unreachable.seen}"


async def test_one_upstream_that_is_down_hides_no_other() -> None:
    network = FakeNetwork({"down.example:443": Unreachable("refuses connections")})
    findings = await examined(
        network,
        {"prefix": "/a", "upstream": "https://down.example"},
        {"prefix": "/b", "upstream": "https://up.example"},
    )
    reached = {finding.subject: finding.level for finding in findings if finding.id == "upstream.reach"}
    assert reached == {"/a → down.example:443": Level.DEGRADED, "/b → up.example:443": Level.GOOD}


async def test_a_token_that_travels_unencrypted_is_noted() -> None:
    findings = await examined(FakeNetwork(), {"prefix": "/a", "upstream": "http://api.internal"})
    assert worse_than_good(findings) == {"upstream.transport": Level.NOTE}
    without = await examined(FakeNetwork(), {"prefix": "/a", "upstream": "http://api.internal", "token": "none"})
    assert set(by_id(without)) == {"upstream.reach"}


async def test_no_route_is_noted() -> None:
    found = UpstreamFindings()
    settings = provider_settings(upstream_url="")
    await UpstreamChecks(settings, FakeNetwork().connect, lambda: NOW).run(found)
    assert worse_than_good(found.findings) == {"upstream.none": Level.NOTE}
