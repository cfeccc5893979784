"""Settings by themselves: every fault becomes a finding that names variable, rule and cure."""

from __future__ import annotations

import time

import pytest

from bff.check.findings import Level
from bff.check.settings_checks import check_client_certificate, check_settings, fault_findings
from bff.errors import SettingsInvalid
from bff.settings import load_settings
from tests.support.certificates import client_certificate
from tests.support.provider_settings import provider_settings
from tests.unit.check.facts import worse_than_good

WRONG = {
    "BFF_ISUER": "https://id.example",
    "BFF_PUBLIC_URL": "http://app.example.com",
    "BFF_CLIENT_SECRET": "a\nsecret\x00",
    "BFF_SECRET_KEYS": "short-and-secret",
    "BFF_REDIS_URL": "redis://user-and-secret@host",
    "BFF_WORKERS": "0",
    "BFF_ROUTES": '[{"prefix": "/a"}, {"prefix": "/b", "upstream": "x", "websocket": true}]',
    "BFF_CA_FILE": "/does/not/exist",
    "BFF_SESSION_IDLE": "9h",
    "BFF_STATIC_DIR": "/does/not/exist",
}


def test_every_fault_becomes_a_finding_with_variable_rule_and_cure() -> None:
    with pytest.raises(SettingsInvalid) as raised:
        load_settings(WRONG)
    findings = fault_findings(raised.value.faults)
    assert len(findings) == len(raised.value.faults)
    assert {finding.level for finding in findings} == {Level.UNUSABLE}
    assert {finding.variable for finding in findings} == {*WRONG, "BFF_ISSUER", "BFF_CLIENT_ID"}
    for finding, line in zip(findings, raised.value.faults, strict=True):
        assert finding.seen in line
        assert finding.cure is not None
        assert finding.cure in line
        assert finding.seen
        assert "secret" not in finding.seen.lower().replace("bff_secret", "").replace("bff_client_secret", "")


def test_a_fault_within_a_route_says_which() -> None:
    (finding,) = fault_findings(["BFF_ROUTES route 2 (/b): needs upstream. Add upstream."])
    assert (finding.variable, finding.subject) == ("BFF_ROUTES", "BFF_ROUTES route 2 (/b)")
    (finding,) = fault_findings(["route /b: has the gateway itself as its upstream. Check the port."])
    assert (finding.variable, finding.subject, finding.cure) == ("BFF_ROUTES", "route /b", "Check the port")


def test_a_fault_without_a_cure_of_its_own_sends_to_the_reference() -> None:
    (finding,) = fault_findings(["BFF_PORT: is odd."])
    assert finding.cure == "See docs/configuration.md"


def test_https_behind_a_proxy_that_is_known_is_good() -> None:
    assert worse_than_good(check_settings(provider_settings(trusted_proxies="10.0.0.0/8"))) == {}


def test_https_without_a_proxy_that_is_believed_is_noted() -> None:
    assert worse_than_good(check_settings(provider_settings())) == {"settings.trusted_proxies": Level.NOTE}


def test_plain_http_is_noted() -> None:
    settings = provider_settings(public_url="http://localhost:8080")
    assert worse_than_good(check_settings(settings)) == {"settings.public_url": Level.NOTE}


@pytest.mark.parametrize(
    "offset, level",
    [(-30 * 86400.0, Level.GOOD), (-86400.0, Level.NOTE), (7200.0, Level.UNUSABLE)],
)
def test_a_client_certificate_is_spoken_of_before_it_ends(offset: float, level: Level) -> None:
    certificate, key = client_certificate()
    settings = provider_settings(client_cert=certificate, client_cert_key=key)
    (finding,) = check_client_certificate(settings, time.time() + offset)
    assert (finding.id, finding.level) == ("settings.client_certificate", level)


def test_without_a_client_certificate_there_is_nothing_to_say_of_it() -> None:
    assert check_client_certificate(provider_settings(), time.time()) == []
