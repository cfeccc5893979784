import base64
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_plus

import pytest

from bff.errors import ClientRefused
from bff.oauth.client_authentication import ASSERTION_TYPE, ClientAuthentication
from bff.oauth.jws import verify_signature
from bff.oauth.keys import parse_keys
from bff.oauth.signing_key import SigningKey, parse_signing_keys
from tests.support.signed_tokens import ALGORITHMS, ISSUER, NOW, key_for, key_set, public_jwk


def _apply(
    authentication: ClientAuthentication, algorithms: Sequence[str] | None = None
) -> tuple[dict[str, str], dict[str, str]]:
    form, headers = {"grant_type": "authorization_code"}, {"Accept": "application/json"}
    authentication.apply(
        form, headers, audience=ISSUER, now=NOW + 0.9, random_bytes=lambda size: b"r" * size, algorithms=algorithms
    )
    assert form.pop("grant_type") == "authorization_code"
    assert headers.pop("Accept") == "application/json"
    return form, headers


def _key(algorithm: str, **members: Any) -> SigningKey:
    (key,) = parse_signing_keys(json.dumps({**key_for(algorithm).as_dict(private=True), **members}))
    return key


@pytest.mark.parametrize(
    "client_id, secret",
    [
        ("app", "secret"),
        ("app:with:colons", "secret:with:colons"),
        ("app with spaces", "p%ss+word/=&?"),
        ("änwendung", "pässwört€🔑"),
        ("https://app.example/", "~tilde.dot-dash_"),
    ],
)
def test_basic_credentials_are_form_encoded_before_they_are_joined(client_id: str, secret: str) -> None:
    form, headers = _apply(ClientAuthentication(client_id=client_id, method="client_secret_basic", secret=secret))
    assert form == {}
    scheme, _, credentials = headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    sent_id, sent_secret = base64.b64decode(credentials).decode("ascii").split(":")
    assert (unquote_plus(sent_id), unquote_plus(sent_secret)) == (client_id, secret)


def test_the_basic_header_is_exactly_what_the_standard_prescribes() -> None:
    authentication = ClientAuthentication(client_id="a b:c", method="client_secret_basic", secret="d+e%f")
    _, headers = _apply(authentication)
    assert base64.b64decode(headers["Authorization"][6:]) == b"a+b%3Ac:d%2Be%25f"


def test_posted_credentials_are_form_parameters() -> None:
    form, headers = _apply(ClientAuthentication(client_id="app", method="client_secret_post", secret="s&cret"))
    assert form == {"client_id": "app", "client_secret": "s&cret"}
    assert headers == {}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_assertion_proves_the_client_to_this_provider_for_a_minute(algorithm: str) -> None:
    authentication = ClientAuthentication(client_id="app", method="private_key_jwt", keys=(_key(algorithm, kid="k-1"),))
    form, headers = _apply(authentication, algorithms=[algorithm])
    assert headers == {}
    assert set(form) == {"client_id", "client_assertion_type", "client_assertion"}
    assert form["client_id"] == "app"
    assert form["client_assertion_type"] == ASSERTION_TYPE
    public = parse_keys(key_set(public_jwk(key_for(algorithm), kid="k-1")))
    assertion = verify_signature(form["client_assertion"], public, [algorithm], kind="assertion", types={"jwt"})
    assert assertion.claims == {
        "iss": "app",
        "sub": "app",
        "aud": ISSUER,
        "jti": base64.urlsafe_b64encode(b"r" * 16).rstrip(b"=").decode(),
        "iat": int(NOW),
        "exp": int(NOW) + 60,
    }


def _header(form: dict[str, str]) -> dict[str, Any]:
    segment = form["client_assertion"].partition(".")[0]
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=="))
    return header


def test_the_assertion_names_its_key_if_the_key_has_a_name() -> None:
    named = ClientAuthentication(client_id="app", method="private_key_jwt", keys=(_key("ES256", kid="k-1"),))
    assert _header(_apply(named)[0]) == {"alg": "ES256", "typ": "JWT", "kid": "k-1"}
    nameless = ClientAuthentication(client_id="app", method="private_key_jwt", keys=(_key("ES256"),))
    assert _header(_apply(nameless)[0]) == {"alg": "ES256", "typ": "JWT"}


def test_the_newest_key_that_the_provider_takes_signs() -> None:
    keys = (_key("ES256", kid="newest"), _key("RS256", kid="older"))
    authentication = ClientAuthentication(client_id="app", method="private_key_jwt", keys=keys)
    assert _header(_apply(authentication)[0])["kid"] == "newest"
    assert _header(_apply(authentication, ["RS256", "ES256"])[0])["kid"] == "newest"
    assert _header(_apply(authentication, ["RS256"])[0])["kid"] == "older"


def test_no_key_that_the_provider_takes_is_an_operator_fault() -> None:
    authentication = ClientAuthentication(client_id="app", method="private_key_jwt", keys=(_key("ES256"),))
    with pytest.raises(ClientRefused) as caught:
        _apply(authentication, ["RS256"])
    assert caught.value.reason == "client_key.algorithm"


@pytest.mark.parametrize(
    "arguments",
    [
        {"method": "client_secret_basic"},
        {"method": "client_secret_basic", "secret": ""},
        {"method": "client_secret_post"},
        {"method": "private_key_jwt"},
        {"method": "private_key_jwt", "secret": "s"},
        {"method": "none", "secret": "s"},
        {"method": "client_secret_jwt", "secret": "s"},
    ],
)
def test_a_method_without_what_it_needs_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be used"):
        ClientAuthentication(client_id="app", **arguments)


def test_the_secret_does_not_show_in_logs() -> None:
    assert "s3cret" not in repr(ClientAuthentication(client_id="app", method="client_secret_basic", secret="s3cret"))


@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_with_mutual_tls_the_request_names_the_client_and_proves_nothing(method: str) -> None:
    form, headers = _apply(ClientAuthentication(client_id="app", method=method))
    assert (form, headers) == ({"client_id": "app"}, {})
