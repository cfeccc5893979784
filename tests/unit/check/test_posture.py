"""Posture: computed from settings and metadata, complete, and never better than the truth."""

from __future__ import annotations

from typing import Any

import pytest

from bff.check.check import posture
from bff.check.posture import Stand, Standing
from bff.check.requirements import STANDARDS
from bff.oauth.metadata import ProviderMetadata
from tests.support.certificates import client_certificate
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
    counts = {"BFF": 28, "BCP": 23, "PAR": 8, "DPOP": 12, "MTLS": 4, "JAR": 5, "FAPI": 27}
    counts |= {"RES": 4, "TX": 5, "STEP": 6}
    counts |= {"ISS": 5, "OIDC": 7, "JARM": 3, "RPL": 6, "BCL": 14}
    assert judged == [f"{name}-{n}" for name, count in counts.items() for n in range(1, count + 1)]
    assert list(counts) == list(STANDARDS)


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
    # No methods, no proxy; a secret, and tokens that are bound to nothing.
    assert not_met == {"BFF-16", "BFF-23", "BFF-25", "BCP-15", "BCP-17"}


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
        ({}, {}, {"BFF-27": UNKNOWN, "BCP-16": UNKNOWN}),
        ({"routes": TWO_APIS, "upstream_url": ""}, {}, {"BFF-27": NOT_MET, "BCP-16": NOT_MET}),
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


def test_what_is_not_in_use_is_waived_with_the_reason() -> None:
    found = stands(full_metadata(pushed_authorization_request_endpoint=...))
    for prefix in ("PAR", "DPOP", "MTLS", "JAR", "FAPI"):
        group = [stand for name, stand in found.items() if name.startswith(f"{prefix}-")]
        assert {stand.standing for stand in group} == {WAIVED}


FAPI = {"profile": "fapi2", "client_secret": "", "resource": "https://api.example.com"}
SIGNS = {"id_token_signing_alg_values_supported": ["PS256"]}


def test_a_profile_is_met_as_a_whole_with_a_key(client_key: str) -> None:
    metadata = full_metadata(dpop_signing_alg_values_supported=["ES256"], **SIGNS)
    signing = FAPI | {"profile": "fapi2-message-signing", "client_key": client_key}
    found = stands(metadata, **signing)
    assert {
        name
        for name, stand in found.items()
        if name.startswith(("FAPI", "DPOP", "JAR", "PAR")) and stand.standing is not MET
    } == {"FAPI-7"}
    assert found["FAPI-7"].standing is WAIVED
    assert (found["BCP-15"].standing, found["BFF-25"].standing) == (MET, MET)


def test_a_profile_is_met_as_a_whole_with_a_certificate() -> None:
    certificate, key = client_certificate()
    settings = FAPI | {"client_cert": certificate, "client_cert_key": key}
    found = stands(full_metadata(tls_client_certificate_bound_access_tokens=True, **SIGNS), **settings)
    unmet = {name for name, stand in found.items() if name.startswith(("FAPI", "MTLS")) and stand.standing is not MET}
    # No assertions, no proofs, and no message signing.
    assert unmet == {"FAPI-5", "FAPI-8", "FAPI-26", "FAPI-27"}
    assert found["FAPI-1"].why.endswith("certificate")
    # What the client is registered for, the provider alone knows.
    assert (found["BCP-15"].standing, found["BFF-25"].standing) == (UNKNOWN, UNKNOWN)


def test_a_profile_that_the_provider_cannot_meet_is_not_called_met() -> None:
    certificate, key = client_certificate()
    settings = FAPI | {"client_cert": certificate, "client_cert_key": key}
    found = stands(full_metadata(pushed_authorization_request_endpoint=..., **SIGNS), **settings)
    assert (found["FAPI-1"].standing, found["FAPI-15"].standing, found["MTLS-4"].standing) == (NOT_MET,) * 3
    unknown = stands(None, **settings)
    assert (unknown["FAPI-1"].standing, unknown["FAPI-15"].standing, unknown["MTLS-4"].standing) == (UNKNOWN,) * 3


@pytest.mark.parametrize(
    "mode, listed, sent", [("auto", ["ES256"], True), ("auto", ["PS256"], False), ("require", None, True)]
)
def test_proofs_count_where_they_are_sent(mode: str, listed: list[str] | None, sent: bool) -> None:
    found = stands(full_metadata(dpop_signing_alg_values_supported=listed), dpop=mode)
    assert found["DPOP-1"].standing is (MET if sent else WAIVED)
    bound = MET if mode == "require" else UNKNOWN
    assert found["BCP-15"].standing is (bound if sent else NOT_MET)
    assert found["PAR-8"].standing is (MET if sent else WAIVED)


def test_of_openid_what_the_provider_or_the_settings_leave_out_is_waived_with_the_reason() -> None:
    found = stands(
        full_metadata(
            end_session_endpoint=...,
            backchannel_logout_supported=...,
            authorization_response_iss_parameter_supported=...,
        ),
        scopes="read",
    )
    for prefix in ("OIDC", "JARM", "RPL", "BCL"):
        group = [stand for name, stand in found.items() if name.startswith(f"{prefix}-") and name != "RPL-6"]
        assert {stand.standing for stand in group} == {WAIVED}
    assert found["RPL-6"].standing is MET, "a logout without the provider is one all the same"
    assert (found["ISS-1"].standing, found["ISS-2"].standing) == (MET, WAIVED)


def test_openid_is_met_as_a_whole() -> None:
    found = stands(full_metadata(), response_mode="jwt")
    names = ("ISS-", "OIDC-", "JARM-", "RPL-", "BCL-")
    assert {stand.standing for name, stand in found.items() if name.startswith(names)} == {MET}
    assert stands(full_metadata(), id_token_hint="off")["RPL-1"].standing is NOT_MET
    assert stands(full_metadata(), logout_url="https://id.example/logout")["RPL-1"].standing is WAIVED


OWN_APIS = (
    '[{"prefix": "/a", "upstream": "https://a.example", "resource": "https://a.example"},'
    ' {"prefix": "/b", "upstream": "https://b.example", "audience": "b", "exchange": true}]'
)
CLIENT_API = '[{"prefix": "/a", "upstream": "https://a.example", "token": "client"}]'


@pytest.mark.parametrize(
    ("settings", "standings"),
    [
        ({"routes": OWN_APIS}, {"RES": MET, "TX": MET, "STEP": MET}),
        ({"routes": CLIENT_API}, {"RES": WAIVED, "TX": WAIVED, "STEP": WAIVED}),
        ({"routes": TWO_APIS, "login_params": "prompt"}, {"RES": WAIVED, "TX": WAIVED, "STEP": WAIVED}),
        ({"resource": "https://a.example", "routes": NO_TOKEN}, {"RES": MET, "TX": WAIVED, "STEP": WAIVED}),
    ],
)
def test_tokens_for_several_apis_and_step_up_are_judged_where_they_are_in_use(
    settings: dict[str, str], standings: dict[str, Standing]
) -> None:
    judged = stands(full_metadata(), upstream_url="", **settings)
    for name, standing in standings.items():
        assert {stand.standing for key, stand in judged.items() if key.startswith(f"{name}-")} == {standing}


def test_routes_with_apis_of_their_own_need_no_audience_of_the_login() -> None:
    assert stands(full_metadata(), upstream_url="", routes=OWN_APIS)["BCP-16"].standing is MET
    assert stands(full_metadata(), routes=TWO_APIS)["BCP-16"].standing is NOT_MET


def test_a_certificate_is_not_for_upstreams_where_keys_bind_every_token() -> None:
    certificate, key = client_certificate()
    found = stands(full_metadata(), client_cert=certificate, client_cert_key=key, dpop="require")
    assert (found["MTLS-3"].standing, found["MTLS-1"].standing) == (WAIVED, MET)
