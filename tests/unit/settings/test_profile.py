"""`BFF_PROFILE`: one switch that sets all that FAPI 2.0 asks of a client, and suffers nothing that contradicts it."""

from __future__ import annotations

from typing import Any

import pytest

from bff.settings import Settings
from tests.support.certificates import client_certificate
from tests.unit.settings.environments import COMPLETE, fault, faults, loaded
from tests.unit.settings.test_credentials import private_pem

KEY = {"BFF_CLIENT_SECRET": None, "BFF_CLIENT_KEY": private_pem()}
_certificate, _certificate_key = client_certificate()
CERTIFICATE = {"BFF_CLIENT_CERT": _certificate, "BFF_CLIENT_CERT_KEY": _certificate_key}
PROFILES = ["fapi2", "fapi2-message-signing"]


def under(profile: str = "fapi2", **changes: Any) -> Settings:
    return loaded(BFF_PROFILE=profile, **{**KEY, **changes})


@pytest.mark.parametrize("profile", PROFILES)
def test_the_switch_and_a_key_are_enough(profile: str) -> None:
    settings = under(profile)
    assert (settings.client_auth, settings.par, settings.dpop) == ("private_key_jwt", "require", "require")
    signed = profile == "fapi2-message-signing"
    assert settings.request_object == ("signed" if signed else "off")
    assert settings.response_mode == ("jwt" if signed else "query")


def test_without_it_nothing_is_set() -> None:
    settings = loaded()
    assert (settings.profile, settings.par, settings.dpop) == (None, "auto", "off")


@pytest.mark.parametrize(
    "changes, client_auth, dpop",
    [
        (CERTIFICATE, "private_key_jwt", "off"),
        ({**CERTIFICATE, "BFF_DPOP": "require"}, "private_key_jwt", "require"),
        ({**CERTIFICATE, "BFF_CLIENT_KEY": None}, "tls_client_auth", "off"),
        ({**CERTIFICATE, "BFF_CLIENT_KEY": None, "BFF_DPOP": "require"}, "tls_client_auth", "require"),
        (
            {**CERTIFICATE, "BFF_CLIENT_KEY": None, "BFF_CLIENT_AUTH": "self_signed_tls_client_auth"},
            "self_signed_tls_client_auth",
            "off",
        ),
        ({**CERTIFICATE, "BFF_CLIENT_AUTH": "tls_client_auth"}, "tls_client_auth", "off"),
    ],
)
def test_keys_and_certificates_may_be_combined_as_the_profile_allows(
    changes: dict[str, str | None], client_auth: str, dpop: str
) -> None:
    settings = under("fapi2", **changes)
    assert (settings.client_auth, settings.dpop) == (client_auth, dpop)


@pytest.mark.parametrize(
    "name, value",
    [
        ("BFF_PAR", "auto"), ("BFF_PAR", "off"), ("BFF_DPOP", "auto"), ("BFF_DPOP", "off"),
        ("BFF_REQUEST_OBJECT", "off"), ("BFF_RESPONSE_MODE", "query"), ("BFF_RESPONSE_MODE", "form_post"),
    ],
)  # fmt: skip
def test_what_contradicts_it_is_a_fault_with_its_cure(name: str, value: str) -> None:
    line = fault(BFF_PROFILE="fapi2-message-signing", **KEY, **{name: value})
    assert line.startswith(f"{name}: must be ")
    assert "under BFF_PROFILE=fapi2-message-signing. Remove it, or set " in line


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_shared_secret_is_no_way_to_be_a_client(method: str) -> None:
    lines = faults(BFF_PROFILE="fapi2", BFF_CLIENT_KEY=private_pem(), BFF_CLIENT_AUTH=method)
    assert [line.partition(":")[0] for line in lines] == ["BFF_CLIENT_AUTH", "BFF_CLIENT_SECRET"]
    assert COMPLETE["BFF_CLIENT_SECRET"] not in "".join(lines)


@pytest.mark.parametrize("algorithm", ["RS256", "ES384", "PS512"])
def test_no_other_algorithm_may_be_named_for_id_tokens(algorithm: str) -> None:
    assert fault(BFF_PROFILE="fapi2", **KEY, BFF_ID_TOKEN_ALG=algorithm).startswith("BFF_ID_TOKEN_ALG: must be one of ")
    assert under(BFF_ID_TOKEN_ALG="PS256").id_token_alg == "PS256"


def test_the_key_is_required() -> None:
    assert fault(BFF_PROFILE="fapi2", BFF_CLIENT_SECRET=None).startswith(
        "BFF_CLIENT_KEY: is required by BFF_CLIENT_AUTH=private_key_jwt"
    )


def test_signed_requests_need_the_key_whoever_the_client_is() -> None:
    without = {"BFF_CLIENT_SECRET": None, **CERTIFICATE}
    line = fault(BFF_PROFILE="fapi2-message-signing", **without)
    assert line.startswith("BFF_CLIENT_KEY: is required by signed requests")
    assert fault(BFF_REQUEST_OBJECT="signed").startswith("BFF_CLIENT_KEY: is required by signed requests")
    assert loaded(BFF_REQUEST_OBJECT="signed", BFF_CLIENT_KEY=private_pem()).request_object == "signed"


def test_tokens_do_not_cross_a_network_in_the_clear() -> None:
    assert fault(BFF_PROFILE="fapi2", **KEY, BFF_UPSTREAM_URL="http://api.internal").startswith(
        "route /api: must have an https upstream under BFF_PROFILE=fapi2"
    )
    assert under(BFF_UPSTREAM_URL="http://127.0.0.1:3000").routes
    assert under(BFF_UPSTREAM_URL=None, BFF_ROUTES='[{"prefix":"/p","upstream":"http://x","token":"none"}]').routes


def test_an_unknown_profile_is_told_which_there_are() -> None:
    assert "Did you mean fapi2?" in fault(BFF_PROFILE="fapi")
