"""Posture: computed from settings and metadata, complete, and never better than the truth."""

from __future__ import annotations

from typing import Any

import pytest

from bff.check.check import posture
from bff.check.posture import Stand, Standing
from bff.oauth.metadata import ProviderMetadata
from tests.support.provider_settings import provider_settings
from tests.unit.check.facts import full_metadata

MET, NOT_MET, WAIVED, UNKNOWN = Standing.MET, Standing.NOT_MET, Standing.WAIVED, Standing.UNKNOWN
KEY = {"client_auth": "private_key_jwt"}
TWO_APIS = '[{"prefix": "/a", "upstream": "https://a.example"}, {"prefix": "/b", "upstream": "https://b.example"}]'
OPEN_API = '[{"prefix": "/a", "upstream": "http://a.example", "methods": ["GET"]}]'
NO_TOKEN = '[{"prefix": "/a", "upstream": "http://a.example", "token": "none"}]'


def stands(metadata: ProviderMetadata | None, **settings: str) -> dict[str, Stand]:
    return {stand.requirement.id: stand for stand in posture(provider_settings(**settings), metadata)}


def test_every_requirement_is_judged_once_in_order() -> None:
    judged = [stand.requirement.id for stand in posture(provider_settings(), full_metadata())]
    assert judged == [f"BFF-{n}" for n in range(1, 29)] + [f"BCP-{n}" for n in range(1, 24)]


def test_every_standing_has_a_reason_and_every_requirement_a_force_and_a_section() -> None:
    for stand in posture(provider_settings(), None):
        assert stand.why
        assert stand.requirement.force in ("must", "should", "advice")
        assert stand.requirement.section[0].isdigit()


def test_no_must_is_missed_by_any_configuration_on_https() -> None:
    missed = [
        stand.requirement.id
        for stand in posture(provider_settings(), full_metadata())
        if stand.requirement.force == "must" and stand.standing is NOT_MET
    ]
    assert missed == []


def test_a_plain_client_secret_misses_what_it_must_miss() -> None:
    found = stands(full_metadata())
    not_met = {name for name, stand in found.items() if stand.standing is NOT_MET}
    # No methods, no proxy, no resource; a secret, and tokens that are bound to nothing.
    assert not_met == {"BFF-16", "BFF-23", "BFF-25", "BFF-27", "BCP-15", "BCP-16", "BCP-17"}


@pytest.mark.parametrize(
    "settings,changes,standings",
    [
        (
            *({"public_url": "http://localhost:8080"}, {}),
            {"BFF-3": WAIVED, "BFF-4": MET, "BFF-5": MET, "BFF-6": MET, "BFF-7": MET, "BFF-8": NOT_MET, "BFF-23": MET},
        ),
        ({"public_url": "https://app.example.com"}, {}, {"BFF-3": MET, "BFF-8": MET, "BFF-23": NOT_MET}),
        ({"trusted_proxies": "10.0.0.0/8"}, {}, {"BFF-23": MET}),
        (KEY, {}, {"BFF-25": NOT_MET, "BCP-17": MET, "BCP-15": NOT_MET}),
        ({"scopes": "openid"}, {}, {"BFF-20": UNKNOWN, "BCP-9": MET}),
        ({}, {}, {"BFF-20": MET, "BFF-21": UNKNOWN, "BCP-11": MET}),
        ({"resource": "https://api.example.com"}, {}, {"BFF-27": UNKNOWN, "BCP-16": MET}),
        ({"audience": "api", "routes": TWO_APIS, "upstream_url": ""}, {}, {"BFF-27": NOT_MET, "BCP-16": NOT_MET}),
        ({"routes": NO_TOKEN, "upstream_url": ""}, {}, {"BCP-16": WAIVED, "BCP-20": MET}),
        ({"routes": OPEN_API, "upstream_url": ""}, {}, {"BCP-20": NOT_MET, "BFF-16": MET}),
        ({"scopes": "profile"}, {}, {"BCP-9": WAIVED, "BCP-11": MET}),
        ({}, {"authorization_response_iss_parameter_supported": False}, {"BCP-11": MET}),
        (
            *({"scopes": "profile"}, {"authorization_response_iss_parameter_supported": False}),
            {"BCP-11": NOT_MET},
        ),
    ],
)
def test_what_depends_on_the_configuration_changes_with_it(
    settings: dict[str, str], changes: dict[str, Any], standings: dict[str, Standing], client_key: str
) -> None:
    if "client_auth" in settings:
        settings = settings | {"client_key": client_key}
    found = stands(full_metadata(**changes), **settings)
    assert {name: found[name].standing for name in standings} == standings


def test_what_depends_on_metadata_is_not_claimed_without_them() -> None:
    found = stands(None)
    assert found["BCP-11"].standing is UNKNOWN
    assert "could not be had" in found["BCP-18"].why
    assert "does not say" in found["BFF-2"].why
    assert "says that it checks it" in stands(full_metadata())["BFF-2"].why


def test_the_cookies_are_judged_by_the_lines_browsers_would_get() -> None:
    assert "__Host-Http-sheets" in stands(None, cookie_name="sheets")["BFF-8"].why
