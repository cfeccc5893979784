"""The report: the same for people and for programs, in colour only where that is wanted."""

from __future__ import annotations

import json
import re

import pytest

from bff.check.check import posture
from bff.check.findings import Finding, degraded, good, note, unusable
from bff.check.report import Report
from tests.support.provider_settings import provider_settings

ALL = [
    good("store.reach", "BFF_REDIS_URL", "Answers in 0.4 ms", subject="redis:6379"),
    note("provider.pkce", "BFF_ISSUER", "Not said", "Ask"),
    degraded("provider.revocation", "BFF_ISSUER", "None", "Turn it on"),
    unusable("provider.client", "BFF_CLIENT_SECRET", "Refused", "Correct it"),
]


def report(*findings: Finding) -> Report:
    return Report(
        version="1.2.3",
        findings=findings,
        register={"redirect URI": "https://app.example.com/bff/callback"},
        posture=posture(provider_settings(), None)[:1],
    )


def test_the_text_says_all_there_is() -> None:
    assert report(*ALL).text(colour=False) == (
        "ok       store.reach [redis:6379]: Answers in 0.4 ms\n"
        "note     provider.pkce: Not said\n"
        "           BFF_ISSUER: Ask\n"
        "DEGRADED provider.revocation: None\n"
        "           BFF_ISSUER: Turn it on\n"
        "UNUSABLE provider.client: Refused\n"
        "           BFF_CLIENT_SECRET: Correct it\n"
        "\n"
        "Register at the provider:\n"
        "  redirect URI: https://app.example.com/bff/callback\n"
        "\n"
        "Posture, RFC 10017 section 6.1, backends for frontends:\n"
        "  met     BFF-1   must   Client credentials at the token endpoint, for codes and refreshes:"
        " client_secret_basic, for codes and refreshes alike\n"
        "\n"
        "unusable: 1 unusable, 1 degraded, 1 note, 1 good\n"
    )


def test_colour_adds_nothing_but_colour() -> None:
    coloured = report(*ALL).text(colour=True)
    assert coloured.count("\x1b[") == 12
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == report(*ALL).text(colour=False)


def test_faults_of_the_settings_alone_make_a_short_report() -> None:
    short = Report(version="1", findings=[unusable("settings.faults", "BFF_PORT", "Odd", "Mend it")], register={})
    assert short.text(colour=False) == (
        "UNUSABLE settings.faults: Odd\n           BFF_PORT: Mend it\n\nunusable: 1 unusable\n"
    )


@pytest.mark.parametrize("count,verdict,status", [(2, "good", 0), (3, "degraded", 1), (4, "unusable", 2)])
def test_the_document_has_verdict_status_and_every_finding(count: int, verdict: str, status: int) -> None:
    document = json.loads(json.dumps(report(*ALL[:count]).document()))
    assert (document["schema"], document["version"]) == (1, "1.2.3")
    assert (document["verdict"], document["exit_status"]) == (verdict, status)
    assert document["register"] == {"redirect URI": "https://app.example.com/bff/callback"}
    assert document["findings"][0] == {
        "id": "store.reach",
        "level": "good",
        "subject": "redis:6379",
        "seen": "Answers in 0.4 ms",
        "variable": "BFF_REDIS_URL",
        "cure": None,
    }
    assert [finding["id"] for finding in document["findings"]] == [finding.id for finding in ALL[:count]]
    assert document["posture"] == [
        {
            "id": "BFF-1",
            "force": "must",
            "section": "6.1.3.1",
            "asks": "Client credentials at the token endpoint, for codes and refreshes",
            "standing": "met",
            "why": "client_secret_basic, for codes and refreshes alike",
        }
    ]


def test_a_standard_that_does_not_apply_takes_one_line() -> None:
    everything = Report(version="1", findings=[], register={}, posture=posture(provider_settings(), None))
    text = everything.text(colour=False)
    assert "\nPosture, RFC 8705, mutual TLS:\n  waived  MTLS-1 to MTLS-4: BFF_CLIENT_CERT is not set\n" in text
    assert "FAPI-2 " not in text
    assert "  met     PAR-1   must" in text
