from typing import Any

import pytest

from bff.errors import InvalidProviderAnswer
from bff.oauth.metadata import MAX_SIZE, ProviderMetadata, metadata_urls, parse_metadata
from tests.support.signed_tokens import ISSUER
from tests.unit.oauth.provider_documents import metadata, metadata_document

_OPTIONAL_ENDPOINTS = [
    "userinfo_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
    "pushed_authorization_request_endpoint",
]
_FLAGS = [
    "require_pushed_authorization_requests",
    "authorization_response_iss_parameter_supported",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
]
_LISTS = [
    "id_token_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "code_challenge_methods_supported",
    "scopes_supported",
    "response_types_supported",
    "grant_types_supported",
]


def _refusal(**changes: Any) -> str:
    with pytest.raises(InvalidProviderAnswer) as caught:
        parse_metadata(metadata_document(**changes), issuer=ISSUER, openid=True)
    return caught.value.reason


def test_what_the_provider_says_is_read_by_name() -> None:
    parsed = metadata(
        **{name: f"{ISSUER}/{name}" for name in _OPTIONAL_ENDPOINTS},
        **dict.fromkeys(_FLAGS, True),
        token_endpoint_auth_methods_supported=["private_key_jwt"],
        token_endpoint_auth_signing_alg_values_supported=["PS256"],
        scopes_supported=["openid"],
        grant_types_supported=["authorization_code", "refresh_token"],
        unheard_of={"ignored": True},
    )
    assert parsed.authorization_endpoint == f"{ISSUER}/authorize"
    assert parsed.token_endpoint == f"{ISSUER}/token"
    assert parsed.jwks_uri == f"{ISSUER}/keys"
    for name in _OPTIONAL_ENDPOINTS:
        assert getattr(parsed, name) == f"{ISSUER}/{name}"
    for name in _FLAGS:
        assert getattr(parsed, name) is True
    assert parsed.id_token_signing_alg_values_supported == ("RS256", "ES256")
    assert parsed.token_endpoint_auth_methods_supported == ("private_key_jwt",)
    assert parsed.token_endpoint_auth_signing_alg_values_supported == ("PS256",)
    assert parsed.code_challenge_methods_supported == ("plain", "S256")
    assert parsed.scopes_supported == ("openid",)


@pytest.mark.parametrize("nothing", [..., None])
def test_what_the_provider_does_not_say_is_empty(nothing: object) -> None:
    parsed = metadata(
        **dict.fromkeys(_OPTIONAL_ENDPOINTS, nothing),
        **dict.fromkeys(_FLAGS, nothing),
        **dict.fromkeys(_LISTS, nothing),
    )
    for name in _OPTIONAL_ENDPOINTS:
        assert getattr(parsed, name) is None
    for name in _FLAGS:
        assert getattr(parsed, name) is False
    assert parsed.token_endpoint_auth_methods_supported is None
    assert parsed.code_challenge_methods_supported is None
    assert parsed.id_token_signing_alg_values_supported == ("RS256",)


@pytest.mark.parametrize(
    "issuer",
    [
        ...,
        None,
        "",
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER + ":443",
        "https://other.example",
        [ISSUER],
        {"issuer": ISSUER},
    ],
)
def test_the_document_must_be_of_exactly_this_issuer(issuer: object) -> None:
    assert _refusal(issuer=issuer) == "metadata.issuer"


def test_an_issuer_with_a_slash_at_its_end_is_another_one() -> None:
    document = metadata_document(issuer=ISSUER + "/")
    assert parse_metadata(document, issuer=ISSUER + "/", openid=True).issuer == ISSUER + "/"
    with pytest.raises(InvalidProviderAnswer):
        parse_metadata(document, issuer=ISSUER, openid=True)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_required_endpoints_must_be_there(name: str) -> None:
    assert _refusal(**{name: ...}) == f"metadata.{name}"
    assert _refusal(**{name: None}) == f"metadata.{name}"


def test_plain_oauth_needs_no_keys() -> None:
    document = metadata_document(jwks_uri=..., id_token_signing_alg_values_supported=["none"])
    parsed = parse_metadata(document, issuer=ISSUER, openid=False)
    assert parsed.jwks_uri is None
    assert parsed.id_token_signing_alg_values_supported == ()


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", *_OPTIONAL_ENDPOINTS])
@pytest.mark.parametrize(
    "url",
    [
        "",
        1,
        [f"{ISSUER}/x"],
        "/token",
        "//provider.example/token",
        "http://provider.example/token",
        "http://127.0.0.1/token",
        "https://user:password@provider.example/token",
        "https://provider.example/token#fragment",
        "javascript:alert(1)",
    ],
)
def test_an_endpoint_that_nothing_may_be_sent_to_is_refused(name: str, url: object) -> None:
    assert _refusal(**{name: url}) == f"metadata.{name}"


def test_an_issuer_on_this_machine_may_have_its_endpoints_there_without_tls() -> None:
    issuer = "http://127.0.0.1:9000"
    endpoints = {name: f"{issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")}
    document = metadata_document(issuer=issuer, **endpoints)
    assert parse_metadata(document, issuer=issuer, openid=True).token_endpoint == f"{issuer}/token_endpoint"
    elsewhere = metadata_document(issuer=issuer, **{**endpoints, "token_endpoint": "http://provider.example/token"})
    with pytest.raises(InvalidProviderAnswer) as caught:
        parse_metadata(elsewhere, issuer=issuer, openid=True)
    assert caught.value.reason == "metadata.token_endpoint"


@pytest.mark.parametrize("name", _FLAGS)
@pytest.mark.parametrize("value", ["true", 1, 0, [], {}])
def test_a_flag_must_be_a_boolean(name: str, value: object) -> None:
    assert _refusal(**{name: value}) == f"metadata.{name}"


@pytest.mark.parametrize("name", _LISTS)
@pytest.mark.parametrize("value", ["S256 code RS256", {"S256": 1}, 1, ["S256", 1], [None], [["S256"]], ["x"] * 201])
def test_a_list_must_be_an_array_of_strings(name: str, value: object) -> None:
    assert _refusal(**{name: value}) == f"metadata.{name}"


@pytest.mark.parametrize(
    "name, value",
    [
        ("code_challenge_methods_supported", []),
        ("code_challenge_methods_supported", ["plain", "s256"]),
        ("response_types_supported", ["token", "id_token"]),
        ("grant_types_supported", ["client_credentials"]),
    ],
)
def test_a_provider_that_excludes_this_flow_is_refused(name: str, value: list[str]) -> None:
    assert _refusal(**{name: value}) == f"metadata.{name}"


def test_unsigned_and_mac_algorithms_are_never_taken_over() -> None:
    listed = ["none", "HS256", "RS256", "none", "HS512", "EdDSA", "ES256K", "NONE"]
    assert metadata(id_token_signing_alg_values_supported=listed).id_token_signing_alg_values_supported == (
        "RS256",
        "EdDSA",
    )


@pytest.mark.parametrize("listed", [[], ["none"], ["HS256", "none"]])
def test_a_provider_without_an_acceptable_signature_is_refused(listed: list[str]) -> None:
    name = "id_token_signing_alg_values_supported"
    assert _refusal(**{name: listed}) == f"metadata.{name}"


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"<html>", b'{"issuer": "a", "issuer": "a"}', b"{" + b" " * MAX_SIZE + b"}"]
)
def test_what_is_not_a_json_object_is_refused(document: bytes) -> None:
    with pytest.raises(InvalidProviderAnswer) as caught:
        parse_metadata(document, issuer=ISSUER, openid=True)
    assert caught.value.reason == "metadata.malformed"


@pytest.mark.parametrize(
    "issuer, discovery, oauth",
    [
        (
            "https://provider.example",
            "https://provider.example/.well-known/openid-configuration",
            "https://provider.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://provider.example/",
            "https://provider.example/.well-known/openid-configuration",
            "https://provider.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://provider.example:8443/realms/one",
            "https://provider.example:8443/realms/one/.well-known/openid-configuration",
            "https://provider.example:8443/.well-known/oauth-authorization-server/realms/one",
        ),
        (
            "https://provider.example/realms/one/",
            "https://provider.example/realms/one/.well-known/openid-configuration",
            "https://provider.example/.well-known/oauth-authorization-server/realms/one",
        ),
    ],
)
def test_the_metadata_is_looked_for_where_the_standards_say(issuer: str, discovery: str, oauth: str) -> None:
    assert metadata_urls(issuer) == (discovery,)
    assert metadata_urls(issuer, openid=False) == (oauth, discovery)


def test_metadata_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        metadata().issuer = "https://other.example"  # type: ignore[misc]
    assert isinstance(metadata(), ProviderMetadata)


def _aliased(aliases: object, *, mutual_tls: bool = True) -> ProviderMetadata:
    document = metadata_document(
        mtls_endpoint_aliases=aliases, userinfo_endpoint=f"{ISSUER}/userinfo", revocation_endpoint=f"{ISSUER}/revoke"
    )
    return parse_metadata(document, issuer=ISSUER, openid=True, mutual_tls=mutual_tls)


def test_a_client_with_a_certificate_uses_the_endpoints_where_it_is_asked_for() -> None:
    aliases = {
        "token_endpoint": "https://mtls.example/token",
        "userinfo_endpoint": "https://mtls.example/userinfo",
        "pushed_authorization_request_endpoint": "https://mtls.example/par",
        "authorization_endpoint": "https://mtls.example/authorize",
        "issuer": "https://mtls.example",
        "something_else": 7,
    }
    found = _aliased(aliases)
    assert found.token_endpoint == "https://mtls.example/token"
    assert found.userinfo_endpoint == "https://mtls.example/userinfo"
    assert found.pushed_authorization_request_endpoint == "https://mtls.example/par"
    assert found.revocation_endpoint == f"{ISSUER}/revoke"
    assert (found.issuer, found.authorization_endpoint) == (ISSUER, f"{ISSUER}/authorize")
    assert _aliased(aliases, mutual_tls=False).token_endpoint == f"{ISSUER}/token"


def test_a_provider_without_such_endpoints_has_one_of_each() -> None:
    assert _aliased(...).token_endpoint == f"{ISSUER}/token"
    assert _aliased({"token_endpoint": None}).token_endpoint == f"{ISSUER}/token"


@pytest.mark.parametrize(
    "aliases", [[], "x", None, {"token_endpoint": "http://mtls.example/token"}, {"token_endpoint": 7}]
)
def test_endpoints_for_certificates_are_as_strictly_read(aliases: object) -> None:
    with pytest.raises(InvalidProviderAnswer):
        _aliased(aliases)
