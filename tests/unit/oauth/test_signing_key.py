import json
import re
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from bff.oauth.base64url import encode
from bff.oauth.jws import verify_signature
from bff.oauth.keys import parse_keys
from bff.oauth.signing_key import UnusableKey, parse_signing_keys
from tests.support.signed_tokens import ALGORITHMS, key_for, key_set, public_jwk, rsa_key

RSA = rsa_key().as_dict(private=True)


def _private(algorithm: str, **members: Any) -> dict[str, Any]:
    return {**key_for(algorithm).as_dict(private=True), **members}


def _pem(algorithm: str) -> str:
    return key_for(algorithm).as_pem(private=True).decode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("form", ["jwk", "jwks", "pem"])
def test_a_key_in_every_form_signs_what_its_public_half_verifies(algorithm: str, form: str) -> None:
    texts = {
        "jwk": json.dumps(_private(algorithm)),
        "jwks": "\n " + json.dumps({"keys": [_private(algorithm)]}),
        "pem": "\n" + _pem(algorithm),
    }
    (key,) = parse_signing_keys(texts[form])
    token = key.sign({"sub": "me"}, algorithm=algorithm)
    public = parse_keys(key_set(public_jwk(key_for(algorithm))))
    verified = verify_signature(token, public, (algorithm,), kind="assertion", types={"jwt"})
    assert verified.claims == {"sub": "me"}


@pytest.mark.parametrize(
    "algorithm, supported, chosen",
    [
        ("RS256", None, "RS256"),
        ("RS256", ["RS256"], "RS256"),
        ("RS256", ["RS256", "PS256", "ES256"], "PS256"),
        ("RS256", ["RS512", "RS384"], "RS384"),
        ("RS256", ["ES256"], None),
        ("RS256", [], None),
        ("RS256", ["none", "HS256"], None),
        ("ES256", None, "ES256"),
        ("ES256", ["RS256", "ES256"], "ES256"),
        ("ES256", ["ES384"], None),
        ("ES512", None, "ES512"),
        ("EdDSA", None, "EdDSA"),
        ("EdDSA", ["Ed25519"], "Ed25519"),
        ("EdDSA", ["Ed25519", "EdDSA"], "EdDSA"),
    ],
)
def test_the_algorithm_follows_from_the_key_and_from_what_the_provider_takes(
    algorithm: str, supported: list[str] | None, chosen: str | None
) -> None:
    (key,) = parse_signing_keys(json.dumps(_private(algorithm)))
    assert key.algorithm_for(supported) == chosen


def test_a_key_with_an_algorithm_signs_with_no_other() -> None:
    (key,) = parse_signing_keys(json.dumps({**RSA, "alg": "PS256"}))
    assert key.algorithm_for(None) == "PS256"
    assert key.algorithm_for(["RS256"]) is None


def test_the_order_of_a_key_set_is_kept_and_keys_for_encryption_are_passed_over() -> None:
    keys = parse_signing_keys(
        json.dumps(
            {
                "keys": [
                    _private("ES256", kid="newest"),
                    {**RSA, "use": "enc", "kid": "encryption"},
                    {**RSA, "use": "sig", "kid": "oldest"},
                ]
            }
        )
    )
    assert [key.kid for key in keys] == ["newest", "oldest"]


def test_a_jwk_without_an_identifier_has_none() -> None:
    (key,) = parse_signing_keys(json.dumps(_private("ES256")))
    assert key.kid is None


def test_keys_in_pem_keep_their_order_and_are_identified_by_their_thumbprints() -> None:
    certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    keys = parse_signing_keys(f"{_pem('ES256')}{certificate}{_pem('PS256')}\n{_pem('EdDSA')}")
    assert [(key.algorithms[0], key.kid) for key in keys] == [
        (algorithm, key_for(algorithm).thumbprint()) for algorithm in ("ES256", "PS256", "EdDSA")
    ]
    assert keys[0].sign({}, algorithm="ES256").partition(".")[0] == encode(
        json.dumps({"alg": "ES256", "typ": "JWT", "kid": keys[0].kid}, separators=(",", ":")).encode()
    )


def test_one_key_in_pem_that_cannot_sign_is_told_though_another_can() -> None:
    with pytest.raises(UnusableKey, match="PEM"):
        parse_signing_keys(_pem("ES256") + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")


@pytest.mark.parametrize(
    "text, why",
    [
        ("", "neither"),
        ("secret words", "neither"),
        ("[]", "neither"),
        ("{", "not valid JSON"),
        ('{"kty": "RSA", "kty": "RSA"}', "not valid JSON"),
        ('{"kid": "\ud800"}', "not valid JSON"),
        ("{}", "`kty`"),
        ('{"kty": 1}', "`kty`"),
        ('{"keys": {}}', "not a list"),
        ('{"keys": ["x"]}', "not a list"),
        ('{"keys": []}', "no key for signatures"),
        (json.dumps({"keys": [{**RSA, "use": "enc"}]}), "no key for signatures"),
        (json.dumps(OctKey.generate_key(256).as_dict(private=True)), "`kty`"),
        (json.dumps(rsa_key().as_dict(private=False)), "public key"),
        (json.dumps({**RSA, "kid": 1}), "`kid` or `alg`"),
        (json.dumps({**RSA, "alg": ["RS256"]}), "`kid` or `alg`"),
        (json.dumps({**RSA, "alg": "HS256"}), "not for signatures"),
        (json.dumps({**RSA, "alg": "ES256"}), "not for signatures"),
        (json.dumps({**RSA, "n": "AQAB"}), "malformed"),
        (json.dumps({**RSA, "d": 1}), "malformed"),
        (json.dumps({"kty": "EC", "crv": "P-256", "d": "AAAA"}), "malformed"),
        (json.dumps(ECKey.generate_key("secp256k1").as_dict(private=True)), "not for signatures"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "PEM"),
        (rsa_key().as_pem(private=True, password="x").decode(), "PEM"),
        (rsa_key().as_pem(private=False).decode(), "public key"),
        (ECKey.generate_key("secp256k1").as_pem(private=True).decode(), "not for signatures"),
    ],
    # Names that are the same in every process, though the keys are not.
    ids=lambda text: re.sub(r"[\w-]{24,}", "key", text)[:24],
)
def test_a_key_that_cannot_sign_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(UnusableKey, match=why) as caught:
        parse_signing_keys(text)
    assert str(RSA["d"]) not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_a_weak_rsa_key_is_refused() -> None:
    with pytest.warns(match="2048"):
        weak = RSAKey.generate_key(1024)
    with pytest.warns(match="2048"), pytest.raises(UnusableKey, match="2048 bits"):
        parse_signing_keys(json.dumps(weak.as_dict(private=True)))


def test_keys_that_may_not_sign_are_passed_over_and_one_must_be_left() -> None:
    keys = [key_for(name).as_dict(private=True) for name in ("ES384", "PS256", "ES256")]
    allowed = parse_signing_keys(json.dumps({"keys": keys}), algorithms=("PS256", "ES256"))
    assert [key.algorithms for key in allowed] == [("PS256",), ("ES256",)]
    with pytest.raises(UnusableKey, match="none of its keys can sign with PS256, ES256"):
        parse_signing_keys(json.dumps(keys[0]), algorithms=("PS256", "ES256"))


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "PS256"])
def test_the_public_half_is_what_the_provider_verifies_with_and_no_more(algorithm: str) -> None:
    private = key_for(algorithm).as_dict(private=True)
    (key,) = parse_signing_keys(
        json.dumps({**private, "kid": "k1", "use": "sig", "key_ops": ["sign"], "x_note": "mine"})
    )
    public = key.public_jwk()
    assert public["kid"] == "k1"
    assert public["use"] == "sig"
    assert not {"d", "p", "q", "dp", "dq", "qi", "key_ops", "x_note"} & public.keys()
    token = key.sign({"a": 1}, algorithm=algorithm)
    keys = parse_keys(key_set(public))
    assert verify_signature(token, keys, [algorithm], kind="t", types=["jwt"]).claims == {"a": 1}


def test_a_key_that_is_good_for_one_algorithm_says_so() -> None:
    def registered(algorithm: str, **members: str) -> dict[str, Any]:
        (key,) = parse_signing_keys(json.dumps({**key_for(algorithm).as_dict(private=True), **members}))
        return key.public_jwk()

    assert registered("ES256")["alg"] == "ES256"
    assert "alg" not in registered("PS256")
    assert registered("PS256", alg="PS256")["alg"] == "PS256"
    assert "kid" not in registered("ES256")
