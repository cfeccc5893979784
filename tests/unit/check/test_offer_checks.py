"""What the provider offers against what is configured, one member of the metadata at a time."""

from __future__ import annotations

from typing import Any

import pytest

from bff.check.findings import Level
from bff.check.offer_checks import keys_for, offer
from bff.oauth.keys import ProviderKeys
from tests.support.certificates import client_certificate
from tests.support.provider_settings import provider_settings
from tests.support.signed_tokens import key_for
from tests.unit.check.facts import by_id, full_metadata, provider_keys, worse_than_good

NOTE, DEGRADED, UNUSABLE = Level.NOTE, Level.DEGRADED, Level.UNUSABLE
KEY = key_for("ES256").as_pem(private=True).decode()
RSA_ONLY = {"token_endpoint_auth_signing_alg_values_supported": ["RS256"]}
SEVERAL = {"id_token_signing_alg_values_supported": ["RS256", "ES256"]}
EDWARDS_ONLY = {"id_token_signing_alg_values_supported": ["EdDSA"]}
NO_PAR = {"pushed_authorization_request_endpoint": ...}


def test_a_provider_that_offers_everything_leaves_nothing_to_mend() -> None:
    findings = offer(provider_settings(), full_metadata())
    assert worse_than_good(findings) == {}
    assert by_id(findings)["provider.pushed_requests"].seen == "Authorization requests are pushed"


@pytest.mark.parametrize(
    "settings,changes,found,level,words",
    [
        ({}, {"code_challenge_methods_supported": ...}, "pkce", NOTE, "do not say"),
        ({}, {"authorization_response_iss_parameter_supported": False}, "issuer_parameter", NOTE, "ID token's iss"),
        (
            *({"scopes": "profile offline_access"}, {"authorization_response_iss_parameter_supported": False}),
            *("issuer_parameter", NOTE, "there is no ID token"),
        ),
        (
            *({}, {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]}),
            *("client_authentication", UNUSABLE, "BFF_CLIENT_AUTH=private_key_jwt"),
        ),
        (
            *({}, {"token_endpoint_auth_methods_supported": ["client_secret_jwt"]}),
            *("client_authentication", UNUSABLE, "Allow one of the gateway's methods"),
        ),
        (
            *({"client_auth": "client_secret_post"}, {"token_endpoint_auth_methods_supported": ...}),
            *("client_authentication", NOTE, "client_secret_basic alone"),
        ),
        ({"client_auth": "private_key_jwt", "client_key": KEY}, RSA_ONLY, "client_key", UNUSABLE, "RS256"),
        ({"par": "off"}, {"require_pushed_authorization_requests": True}, "pushed_requests", UNUSABLE, "BFF_PAR=auto"),
        ({"par": "require"}, NO_PAR, "pushed_requests", UNUSABLE, "no endpoint"),
        ({}, NO_PAR | {"require_pushed_authorization_requests": True}, "pushed_requests", UNUSABLE, "no endpoint"),
        ({"par": "off"}, {}, "pushed_requests", NOTE, "BFF_PAR is off"),
        ({}, NO_PAR, "pushed_requests", NOTE, "does not take"),
        ({}, {"require_signed_request_object": True}, "request_objects", UNUSABLE, "BFF_REQUEST_OBJECT=signed"),
        (
            *({"request_object": "signed", "client_key": KEY}, NO_PAR | {"request_parameter_supported": False}),
            *("request_objects", UNUSABLE, "not pushed"),
        ),
        (
            {"request_object": "signed", "client_key": KEY},
            *({"request_object_signing_alg_values_supported": ["RS256"]}, "request_objects", UNUSABLE, "RS256"),
        ),
        ({"dpop": "require"}, {"dpop_signing_alg_values_supported": ["RS256"]}, "bound_tokens", UNUSABLE, "ES256"),
        ({"dpop": "require"}, {}, "bound_tokens", NOTE, "a login fails"),
        ({"dpop": "auto"}, {}, "bound_tokens", NOTE, "bearer tokens"),
        ({}, {"scopes_supported": ...}, "scopes", NOTE, "do not list scopes"),
        ({"scopes": "openid offline_access read:x"}, {}, "scopes", NOTE, "does not list read:x"),
        ({"scopes": "openid"}, {}, "offline_access", NOTE, "not asked for"),
        ({}, {"scopes_supported": ["openid", "profile", "email"]}, "offline_access", DEGRADED, "does not list"),
        ({"userinfo": "on"}, {"userinfo_endpoint": ...}, "userinfo", UNUSABLE, "BFF_USERINFO=auto"),
        ({"userinfo": "on", "scopes": "profile offline_access"}, {}, "userinfo", UNUSABLE, "openid"),
        ({}, {"userinfo_endpoint": ...}, "userinfo", NOTE, "ID token alone"),
        ({}, {"revocation_endpoint": ...}, "revocation", DEGRADED, "cannot be revoked"),
        (
            *({"response_mode": "form_post"}, {"response_modes_supported": ["query"]}),
            *("response_mode", UNUSABLE, "BFF_RESPONSE_MODE=query"),
        ),
        (
            *({"response_mode": "jwt"}, {"response_modes_supported": ["query", "form_post.jwt"]}),
            *("response_mode", UNUSABLE, "by jwt"),
        ),
        (
            *({"response_mode": "jwt"}, {"authorization_signing_alg_values_supported": ["none", "HS256"]}),
            *("response_mode", UNUSABLE, "no algorithm"),
        ),
        ({"response_mode": "form_post"}, {}, "response_mode", NOTE, "do not say"),
        ({"silent_login": "on"}, {}, "silent_login", NOTE, "own site"),
        (
            *({"silent_login": "on"}, {"authorization_endpoint": "https://login.example/authorize"}),
            *("silent_login", DEGRADED, "at another"),
        ),
        ({}, {"end_session_endpoint": ...}, "end_session", DEGRADED, "needs no password"),
        ({"id_token_hint": "off"}, {}, "end_session", NOTE, "without the ID token"),
        ({}, {"backchannel_logout_supported": ...}, "backchannel_logout", NOTE, "does not tell"),
        ({}, {"backchannel_logout_session_supported": ...}, "backchannel_logout", NOTE, "all of the user's"),
        ({"id_token_alg": "ES512"}, SEVERAL, "algorithms", UNUSABLE, "with RS256, ES256, never with ES512"),
        ({"id_token_alg": "RS256"}, EDWARDS_ONLY, "algorithms", UNUSABLE, "with EdDSA, never with RS256"),
        ({"id_token_alg": "RS256", "scopes": "profile"}, {}, "algorithms", NOTE, "Remove BFF_ID_TOKEN_ALG"),
    ],
)
def test_what_is_missing_is_told_with_its_cure(
    settings: dict[str, str], changes: dict[str, Any], found: str, level: Level, words: str
) -> None:
    finding = by_id(offer(provider_settings(**settings), full_metadata(**changes)))[f"provider.{found}"]
    assert finding.level is level
    assert words in f"{finding.seen} {finding.cure}"
    assert finding.variable.startswith("BFF_")


def test_the_same_change_leaves_all_else_good() -> None:
    findings = offer(provider_settings(), full_metadata(end_session_endpoint=...))
    assert worse_than_good(findings) == {"provider.end_session": DEGRADED}


def test_the_algorithm_of_the_clients_key_is_told() -> None:
    settings = provider_settings(client_auth="private_key_jwt", client_key=KEY)
    finding = by_id(offer(settings, full_metadata()))["provider.client_key"]
    assert (finding.level, finding.seen) == (Level.GOOD, "Client assertions are signed with ES256")


def test_a_key_for_one_of_the_algorithms_is_enough() -> None:
    findings = keys_for(provider_settings(), full_metadata(**SEVERAL), provider_keys())
    assert worse_than_good(findings) == {}
    assert "RS256" in by_id(findings)["provider.keys"].seen


@pytest.mark.parametrize("keys", [ProviderKeys(), provider_keys()])
def test_without_a_key_that_fits_no_login_can_work(keys: ProviderKeys) -> None:
    (finding,) = keys_for(provider_settings(), full_metadata(id_token_signing_alg_values_supported=["ES256"]), keys)
    assert (finding.id, finding.level) == ("provider.keys", UNUSABLE)
    assert finding.seen.startswith(f"Of {len(keys)} usable key")


@pytest.mark.parametrize(
    "algorithm,changes", [("ES256", SEVERAL), ("RS256", SEVERAL), ("EdDSA", EDWARDS_ONLY), ("Ed25519", EDWARDS_ONLY)]
)
def test_the_configured_algorithm_is_good_if_the_provider_lists_it_under_either_of_its_names(
    algorithm: str, changes: dict[str, Any]
) -> None:
    finding = by_id(offer(provider_settings(id_token_alg=algorithm), full_metadata(**changes)))["provider.algorithms"]
    assert (finding.level, finding.variable) == (Level.GOOD, "BFF_ID_TOKEN_ALG")


def test_a_key_for_another_algorithm_than_the_configured_one_does_not_help() -> None:
    settings = provider_settings(id_token_alg="ES256")
    (finding,) = keys_for(settings, full_metadata(**SEVERAL), provider_keys())
    assert (finding.id, finding.level, finding.variable) == ("provider.keys", UNUSABLE, "BFF_ID_TOKEN_ALG")
    assert "none fits ES256" in finding.seen


@pytest.mark.parametrize("listed", ["jwt", "query.jwt"])
def test_signed_answers_have_two_names(listed: str) -> None:
    metadata = full_metadata(response_modes_supported=[listed], authorization_signing_alg_values_supported=["PS256"])
    assert worse_than_good(offer(provider_settings(response_mode="jwt"), metadata)) == {}


def test_a_logout_page_of_the_providers_own_takes_the_place_of_an_end_session_endpoint() -> None:
    settings = provider_settings(logout_url="https://id.example/logout?client_id=app")
    assert worse_than_good(offer(settings, full_metadata(end_session_endpoint=...))) == {}


def test_how_requests_are_signed_and_tokens_bound_is_told() -> None:
    listed = {
        "dpop_signing_alg_values_supported": ["ES256"],
        "request_object_signing_alg_values_supported": ["ES256"],
        "tls_client_certificate_bound_access_tokens": True,
    }
    metadata = full_metadata(**listed)
    findings = by_id(offer(provider_settings(dpop="auto", request_object="signed", client_key=KEY), metadata))
    assert findings["provider.bound_tokens"].seen == "Access tokens are bound to a key of each session"
    assert findings["provider.request_objects"].seen == "Authorization requests are signed with ES256"
    certificate, key = client_certificate()
    findings = by_id(offer(provider_settings(client_cert=certificate, client_cert_key=key), metadata))
    assert "certificate" in findings["provider.bound_tokens"].seen
    assert "provider.request_objects" not in findings
