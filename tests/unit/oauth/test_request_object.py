"""Signed authorization requests (RFC 9101)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from joserfc import jws

from bff.errors import ClientRefused
from bff.oauth.request_object import LIFETIME, request_object
from bff.oauth.signing_key import SigningKey, parse_signing_keys
from tests.support.signed_tokens import ISSUER, NOW, key_for, public_jwk

PARAMETERS = {"client_id": "app", "response_type": "code", "scope": "openid", "state": "s", "max_age": "60"}


def key(algorithm: str, kid: str = "k1") -> SigningKey:
    (parsed,) = parse_signing_keys(json.dumps({**key_for(algorithm).as_dict(private=True), "kid": kid}))
    return parsed


def signed(*keys: SigningKey, algorithms: list[str] | None = None, **changes: str) -> list[dict[str, Any]]:
    """Return header and claims of a request object, its signature checked."""
    token = request_object({**PARAMETERS, **changes}, keys=keys, algorithms=algorithms, issuer=ISSUER, now=NOW + 0.5)
    algorithm = json.loads(_decoded(token.split(".")[0]))["alg"]
    found = jws.deserialize_compact(token.encode(), key_for(algorithm), algorithms=[algorithm])
    return [found.headers(), json.loads(found.payload)]


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "Ed25519"])
def test_the_request_is_signed_for_this_issuer_and_a_short_time(algorithm: str) -> None:
    header, claims = signed(key(algorithm), algorithms=[algorithm])
    assert header == {"alg": algorithm, "typ": "oauth-authz-req+jwt", "kid": "k1"}
    assert claims == {
        **PARAMETERS, "max_age": 60,
        "iss": "app", "aud": ISSUER, "iat": int(NOW), "nbf": int(NOW), "exp": int(NOW) + LIFETIME,
    }  # fmt: skip


def test_no_parameter_changes_whom_it_is_for_and_how_long() -> None:
    _, claims = signed(key("ES256"), iss="other", aud="https://other.example", iat="0", nbf="0", exp="9999999999")
    assert (claims["iss"], claims["aud"], claims["exp"]) == ("app", ISSUER, int(NOW) + LIFETIME)
    assert (claims["iat"], claims["nbf"]) == (int(NOW), int(NOW))


def test_it_lives_no_longer_than_fapi_permits() -> None:
    assert LIFETIME <= 3600


def test_the_newest_key_that_the_provider_takes_signs() -> None:
    keys = (key("ES256", "newest"), key("PS256", "older"))
    assert signed(*keys)[0]["kid"] == "newest"
    assert signed(*keys, algorithms=["PS256", "RS256"])[0]["kid"] == "older"


def test_no_key_that_the_provider_takes_is_an_operator_fault() -> None:
    with pytest.raises(ClientRefused) as caught:
        signed(key("ES256"), algorithms=["none", "RS256"])
    assert caught.value.reason == "client_key.algorithm"


def test_the_key_is_not_in_it() -> None:
    private = key_for("ES256").as_dict(private=True)["d"]
    token = request_object(PARAMETERS, keys=[key("ES256")], algorithms=None, issuer=ISSUER, now=NOW)
    assert str(private) not in token
    assert str(public_jwk(key_for("ES256"))["x"]) not in token
