import json
from typing import Any

import pytest
from joserfc.jwk import OctKey

from bff.errors import InvalidProviderAnswer
from bff.oauth.base64url import encode
from bff.oauth.keys import MAX_KEYS, MAX_SIZE, ProviderKeys, parse_keys
from tests.support.signed_tokens import ALGORITHMS, key_for, key_set, public_jwk, rsa_key

RSA = public_jwk(rsa_key())


def _usable(*jwks: Any) -> int:
    return len(parse_keys(key_set(*jwks)))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_fits_the_algorithms_of_its_kind(algorithm: str) -> None:
    keys = parse_keys(key_set(public_jwk(key_for(algorithm), kid="a")))
    assert len(keys.candidates(algorithm, "a")) == 1


@pytest.mark.parametrize(
    "algorithm, others",
    [
        ("RS256", {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        ("ES256", {"ES256"}),
        ("ES384", {"ES384"}),
        ("ES512", {"ES512"}),
        ("EdDSA", {"EdDSA", "Ed25519"}),
    ],
)
def test_a_key_fits_no_algorithm_of_another_kind_or_curve(algorithm: str, others: set[str]) -> None:
    keys = parse_keys(key_set(public_jwk(key_for(algorithm))))
    fitting = {name for name in (*ALGORITHMS, "HS256", "none", "ES256K", "Ed448") if keys.candidates(name, None)}
    assert fitting == others


def test_decoys_under_the_same_identifier_are_told_apart_by_algorithm() -> None:
    keys = parse_keys(
        key_set(*(public_jwk(key_for(name), kid="same") for name in ("RS256", "ES256", "ES384", "EdDSA")))
    )
    assert len(keys.candidates("ES384", "same")) == 1
    assert keys.candidates("ES384", "same")[0].public.curve_name == "P-384"  # type: ignore[union-attr]


def test_two_keys_of_one_kind_under_one_identifier_are_both_candidates() -> None:
    keys = parse_keys(key_set(public_jwk(rsa_key(0), kid="same"), public_jwk(rsa_key(1), kid="same")))
    assert len(keys.candidates("RS256", "same")) == 2


def test_without_an_identifier_every_fitting_key_is_a_candidate() -> None:
    keys = parse_keys(key_set(public_jwk(rsa_key(0), kid="a"), public_jwk(rsa_key(1), kid="b")))
    assert len(keys.candidates("RS256", None)) == 2
    assert not keys.has("RS256", None)


def test_a_key_without_an_identifier_is_a_candidate_for_every_identifier() -> None:
    keys = parse_keys(key_set(RSA))
    assert len(keys.candidates("RS256", "unheard-of")) == 1
    assert not keys.has("RS256", "unheard-of")


def test_an_unknown_identifier_has_no_candidates() -> None:
    keys = parse_keys(key_set({**RSA, "kid": "a"}))
    assert keys.candidates("RS256", "b") == []
    assert keys.has("RS256", "a")
    assert not keys.has("ES256", "a")


def test_the_algorithm_of_a_key_restricts_it() -> None:
    keys = parse_keys(key_set({**RSA, "alg": "PS256"}))
    assert keys.candidates("PS256", None)
    assert not keys.candidates("RS256", None)


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_both_names_of_an_ed25519_signature_fit_whichever_the_key_bears(alg: str) -> None:
    keys = parse_keys(key_set(public_jwk(key_for("EdDSA"), alg=alg)))
    assert keys.candidates("EdDSA", None)
    assert keys.candidates("Ed25519", None)


def test_a_key_for_signatures_is_usable() -> None:
    assert _usable({**RSA, "use": "sig"}, {**RSA, "key_ops": ["verify"]}, {**RSA, "x5c": ["ignored"]}) == 3


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param({**RSA, "use": "enc"}, id="for encryption"),
        pytest.param({**RSA, "use": 1}, id="use is a number"),
        pytest.param({**RSA, "key_ops": ["encrypt"]}, id="operations without verify"),
        pytest.param({**RSA, "key_ops": "verify"}, id="operations is a string"),
        pytest.param({**RSA, "alg": "RSA-OAEP"}, id="algorithm for encryption"),
        pytest.param({**RSA, "alg": "HS256"}, id="algorithm of another kind"),
        pytest.param({**RSA, "alg": 7}, id="algorithm is a number"),
        pytest.param({**RSA, "alg": ["RS256"]}, id="algorithm is a list"),
        pytest.param({**RSA, "kid": 7}, id="identifier is a number"),
        pytest.param({**RSA, "kty": "unheard-of"}, id="unknown kind"),
        pytest.param({**RSA, "kty": ["RSA"]}, id="kind is a list"),
        pytest.param({"kid": "a"}, id="no kind"),
        pytest.param({"kty": "RSA", "e": "AQAB"}, id="no modulus"),
        pytest.param({**RSA, "n": ""}, id="empty modulus"),
        pytest.param({**RSA, "n": "!!!"}, id="modulus is not base64url"),
        pytest.param({**RSA, "n": RSA["n"] + "="}, id="modulus is padded"),
        pytest.param({**RSA, "n": 5}, id="modulus is a number"),
        pytest.param({**RSA, "e": "AA"}, id="exponent is zero"),
        pytest.param({**RSA, "e": "Ag"}, id="exponent is two"),
        pytest.param({**RSA, "e": None}, id="exponent is null"),
        pytest.param({"kty": "RSA", "n": encode(b"\xc3" * 128), "e": "AQAB"}, id="1024 bits"),
        pytest.param({"kty": "RSA", "n": encode(b"\xc3" * 254 + b"\x01"), "e": "AQAB"}, id="2040 bits"),
        pytest.param({"kty": "RSA", "n": encode(b"\xc3" * 1025), "e": "AQAB"}, id="8200 bits"),
        pytest.param(rsa_key().as_dict(private=True), id="private"),
        pytest.param(key_for("ES256").as_dict(private=True), id="private on a curve"),
        pytest.param(OctKey.generate_key(256).as_dict(private=True), id="symmetric"),
        pytest.param({**public_jwk(key_for("ES256")), "k": "AAAA"}, id="with a symmetric member"),
        pytest.param({**public_jwk(key_for("ES256")), "crv": "secp256k1"}, id="unsupported curve"),
        pytest.param({**public_jwk(key_for("ES256")), "crv": "P-384"}, id="point of another curve"),
        pytest.param({**public_jwk(key_for("ES256")), "crv": "Ed25519"}, id="curve of another kind"),
        pytest.param({**public_jwk(key_for("ES256")), "crv": ["P-256"]}, id="curve is a list"),
        pytest.param({**public_jwk(key_for("ES256")), "x": "AAAA"}, id="point off the curve"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}, id="short Ed25519 key"),
        pytest.param({"kty": "OKP", "crv": "X25519", "x": public_jwk(key_for("EdDSA"))["x"]}, id="key agreement"),
        pytest.param({"kty": "OKP", "crv": "Ed448", "x": encode(b"\x01" * 57)}, id="Ed448"),
        pytest.param("text", id="not an object"),
        pytest.param(None, id="null"),
    ],
)
def test_an_unusable_key_is_left_out_and_the_others_stay(jwk: Any) -> None:
    assert _usable(jwk) == 0
    assert _usable(jwk, {**RSA, "kid": "good"}, jwk) == 1


def test_an_empty_set_has_no_candidates() -> None:
    for keys in (parse_keys(b'{"keys": []}'), ProviderKeys()):
        assert len(keys) == 0
        assert keys.candidates("RS256", None) == []


def test_as_many_keys_as_the_limit_are_read() -> None:
    assert _usable(*[RSA] * MAX_KEYS) == MAX_KEYS
    with pytest.raises(InvalidProviderAnswer) as caught:
        parse_keys(key_set(*[RSA] * (MAX_KEYS + 1)))
    assert caught.value.reason == "keys.too_many"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"<html>",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": null}',
        pytest.param(json.dumps(RSA).encode(), id="a key alone"),
        b'{"keys": [], "keys": []}',
        b'{"keys": []}' + b" " * MAX_SIZE,
    ],
    ids=lambda document: repr(document[:20]),
)
def test_what_is_not_a_key_set_is_refused(document: bytes) -> None:
    with pytest.raises(InvalidProviderAnswer) as caught:
        parse_keys(document)
    assert caught.value.reason == "keys.malformed"
