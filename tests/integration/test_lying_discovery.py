"""Metadata and keys: documents that contradict themselves, the issuer or good sense are not believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.discovery_lies import Chain, DocumentLie, KeysScene, MetadataScene, RotationScene
from tests.support.lies import Answer, html, json_answer
from tests.support.stage import Scene

ELSEWHERE = "http://provider.example"


def member(rule: str, name: str, value: Any) -> DocumentLie:
    """One member of the metadata is bent."""
    return DocumentLie(rule, f"metadata.{name}", {name: value})


def whole(rule: str, reason: str, answer: Answer) -> DocumentLie:
    """The whole document is something else."""
    return DocumentLie(rule, reason, answer=answer)


ISSUER = MetadataScene(
    "issuers",
    [
        member("the issuer is another host", "issuer", "https://attacker.example"),
        DocumentLie("the issuer ends in a slash", "metadata.issuer", issuer=lambda issuer: f"{issuer}/"),
        DocumentLie("the issuer is in capitals", "metadata.issuer", issuer=str.upper),
        member("the issuer is missing", "issuer", ...),
        DocumentLie("the issuer is of a neighbour", "metadata.issuer", issuer=lambda issuer: f"{issuer}/../acme"),
        whole("the document says issuer twice", "metadata.malformed", Answer(body=b'{"issuer":"a","issuer":"b"}')),
        whole("the document is a page", "metadata.content_type", html()),
        whole("the document is a list", "metadata.malformed", Answer(body=b"[]")),
        whole("the document is empty", "metadata.malformed", Answer()),
    ],
)

SHAPE = MetadataScene(
    "shapes",
    [
        whole("the document is not there", "metadata.status", Answer(404, b"{}")),
        whole("the provider fails", "metadata.status", html(500)),
        whole("the document is elsewhere", "metadata.status",
              Answer(302, headers=(("Location", "http://127.0.0.1:9/"),))),
        whole("the document is 300 KB", "metadata.malformed", json_answer(issuer="x", padding="x" * 300_000)),
        whole("the document is a megabyte", "provider.too_large", json_answer(issuer="x", padding="x" * 1_000_000)),
        whole("the connection breaks", "provider.protocol", Answer(body=b'{"issuer":"x"}', cut=5)),
        member("no code flow is supported", "response_types_supported", ["id_token"]),
        member("the code grant is not supported", "grant_types_supported", ["implicit"]),
    ],
)  # fmt: skip

ENDPOINTS = MetadataScene(
    "endpoints",
    [
        member("the authorization endpoint is missing", "authorization_endpoint", ...),
        member("the authorization endpoint is a script", "authorization_endpoint", "javascript:alert(1)//"),
        member("the authorization endpoint has a fragment", "authorization_endpoint", "http://127.0.0.1:9/a#b"),
        member("the token endpoint is on another machine without TLS", "token_endpoint", f"{ELSEWHERE}/token"),
        member("the token endpoint has a password", "token_endpoint", "http://u:p@127.0.0.1:9/token"),
        member("the token endpoint is a list", "token_endpoint", ["http://127.0.0.1:9/token"]),
        member("the keys are in a file", "jwks_uri", "file:///etc/passwd"),
        member("there is no address of keys", "jwks_uri", ...),
    ],
)

DETAILS = MetadataScene(
    "details",
    [
        member("UserInfo is an FTP server", "userinfo_endpoint", "ftp://127.0.0.1/userinfo"),
        member("revocation has a line break", "revocation_endpoint", "http://127.0.0.1:9/\r\nX: 1"),
        member("the end-session endpoint is a script", "end_session_endpoint", "javascript:alert(1)"),
        member("pushed requests go elsewhere", "pushed_authorization_request_endpoint", "//attacker.example/par"),
        member("PKCE is plain only", "code_challenge_methods_supported", ["plain"]),
        member("ID tokens are unsigned or have MACs", "id_token_signing_alg_values_supported", ["none", "HS256"]),
        member("the algorithms are a word", "id_token_signing_alg_values_supported", "RS256"),
        member("a flag is a word", "authorization_response_iss_parameter_supported", "true"),
    ],
)

SECURE = MetadataScene(
    "secure",
    [
        member("the token endpoint is without TLS though the issuer has it", "token_endpoint", "http://127.0.0.1:9/t"),
        member("the keys are without TLS though the issuer has it", "jwks_uri", "http://127.0.0.1:9/jwks"),
        member("the login is without TLS though the issuer has it", "authorization_endpoint", "http://127.0.0.1:9/a"),
    ],
    is_secure=True,
)

KEYS = KeysScene(
    "keys",
    [
        whole("the key set is a page", "keys.content_type", html()),
        whole("the key set is no JSON", "keys.malformed", Answer(body=b"keys")),
        whole("the key set has no keys", "keys.malformed", json_answer(jwks=[])),
        whole("the key set is an object of keys", "keys.malformed", json_answer(keys={"signing": {}})),
        whole("the key set is not there", "keys.status", Answer(404, b"{}")),
        whole("the key set is a thousand keys", "keys.too_many", json_answer(keys=[{"kty": "RSA"}] * 1000)),
        whole("the key set says keys twice", "keys.malformed", Answer(body=b'{"keys":[],"keys":[]}')),
    ],
)

CHAINS = [ISSUER, SHAPE, ENDPOINTS, DETAILS, SECURE]
ROTATION = RotationScene()


@pytest.mark.parametrize("scene, lie", [(chain, lie) for chain in CHAINS for lie in chain.lies], ids=str)
def test_no_login_begins_if(scene: MetadataScene, lie: DocumentLie, told: Callable[[Scene[Any]], Any]) -> None:
    chain: Chain = told(scene)
    seen = chain.disbelieved[lie.rule]
    assert (seen.ready_status, seen.reasons) == (503, {"provider": lie.reason})
    assert (seen.login.path, seen.login.status) == ("/bff/login", 503)
    assert int(seen.login.headers["retry-after"]) > 0
    assert "set-cookie" not in seen.login.headers
    assert "javascript" not in seen.login.body.decode()


@pytest.mark.parametrize("scene, lie", [(KEYS, lie) for lie in KEYS.lies], ids=str)
def test_no_code_is_spent_if(scene: KeysScene, lie: DocumentLie, told: Callable[[Scene[Any]], Any]) -> None:
    chain: Chain = told(scene)
    seen = chain.disbelieved[lie.rule]
    assert (seen.ready_status, seen.reasons) == (503, {"provider": lie.reason})
    assert (seen.login.path, seen.login.status) == ("/bff/callback", 503)
    assert seen.requests == 0


@pytest.mark.parametrize("scene", [*CHAINS, KEYS], ids=str)
def test_the_gateway_serves_logins_once_the_provider_is_honest(
    scene: MetadataScene | KeysScene, told: Callable[[Scene[Any]], Any]
) -> None:
    chain: Chain = told(scene)
    assert chain.begins
    if isinstance(scene, KeysScene) or not scene.is_secure:
        assert chain.after is not None
        assert chain.after.callback.status == 303
        assert chain.after.session["authenticated"] is True


@pytest.mark.parametrize("scene", [ROTATION], ids=str)
def test_keys_are_fetched_again_when_they_must_have_changed(
    scene: RotationScene, told: Callable[[Scene[Any]], Any]
) -> None:
    assert told(scene) == {
        "no key is published": (400, "id_token.key", False),
        "the first key is published": (303, "None", True),
        "a new key signs": (303, "None", True),
        "a new key signs under the kid of the old one": (303, "None", True),
        "the same key signs": (303, "None", True),
        "no fetch for a key that is known": True,
        "a key that was withdrawn signs": (400, "id_token.key", False),
    }
