import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.oauth.jws import MAX_TOKEN_SIZE, InvalidToken, UnknownKey, VerifiedToken, verify_signature
from bff.oauth.keys import ProviderKeys, parse_keys
from tests.support.signed_tokens import ALGORITHMS, encrypted, key_for, key_set, public_jwk, rsa_key, segment, sign

KEYS = parse_keys(key_set(*(public_jwk(key_for(name), kid="key-1") for name in ALGORITHMS if name != "Ed25519")))
CLAIMS = {"sub": "user-1"}


def _verify(token: str, keys: ProviderKeys = KEYS, algorithms: tuple[str, ...] = ALGORITHMS) -> VerifiedToken:
    return verify_signature(token, keys, algorithms, kind="id_token", types=frozenset({"jwt"}))


def _refusal(token: str, keys: ProviderKeys = KEYS, algorithms: tuple[str, ...] = ALGORITHMS) -> str:
    with pytest.raises(InvalidToken) as caught:
        _verify(token, keys, algorithms)
    return caught.value.reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_asymmetric_algorithm_verifies(algorithm: str) -> None:
    verified = _verify(sign(CLAIMS, algorithm=algorithm), algorithms=(algorithm,))
    assert verified.algorithm == algorithm
    assert verified.claims == CLAIMS


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_of_another_key_is_refused(algorithm: str) -> None:
    token = sign(CLAIMS, algorithm=algorithm)
    head, payload, _ = token.split(".")
    _, _, foreign = sign({"sub": "user-2"}, algorithm=algorithm).split(".")
    assert _refusal(f"{head}.{payload}.{foreign}") == "id_token.signature"


@pytest.mark.parametrize("name, other", [("EdDSA", "Ed25519"), ("Ed25519", "EdDSA")])
def test_either_name_of_an_ed25519_signature_allows_the_other(name: str, other: str) -> None:
    assert _verify(sign(CLAIMS, algorithm=name), algorithms=(other,)).claims == CLAIMS


def test_an_algorithm_the_provider_does_not_list_is_refused() -> None:
    assert _refusal(sign(CLAIMS, algorithm="ES256"), algorithms=("RS256", "PS256")) == "id_token.algorithm"


@pytest.mark.parametrize("listed", [ALGORITHMS, (*ALGORITHMS, "none", "HS256", "ES256K", "RS1")])
@pytest.mark.parametrize(
    "alg",
    ["none", "None", "NONE", "nOnE", "", None, 5, ["RS256"], "HS256", "HS512", "rs256", "RS1", "ES256K", "RS256 "],
)
def test_an_algorithm_without_a_public_key_is_refused_whatever_the_provider_lists(
    alg: object, listed: tuple[str, ...]
) -> None:
    _, payload, signature = sign(CLAIMS).split(".")
    for proof in (signature, ""):
        token = f"{segment({'alg': alg, 'kid': 'key-1'})}.{payload}.{proof}"
        assert _refusal(token, algorithms=listed) == "id_token.algorithm"


def test_a_missing_algorithm_is_refused() -> None:
    assert _refusal(sign(CLAIMS, header={"kid": "key-1"})) == "id_token.algorithm"


@pytest.mark.parametrize("shape", ["pem", "jwk", "modulus"])
def test_a_public_key_used_as_a_shared_secret_is_refused(shape: str) -> None:
    secrets: dict[str, bytes] = {
        "pem": rsa_key().as_pem(private=False),
        "jwk": json.dumps(public_jwk(rsa_key())).encode(),
        "modulus": public_jwk(rsa_key())["n"].encode(),
    }
    signed = f"{segment({'alg': 'HS256', 'kid': 'key-1'})}.{segment(CLAIMS)}"
    mac = hmac.digest(secrets[shape], signed.encode(), "sha256")
    assert _refusal(f"{signed}.{segment(mac)}", algorithms=(*ALGORITHMS, "HS256")) == "id_token.algorithm"


def test_an_rsa_signature_does_not_verify_as_another_rsa_algorithm() -> None:
    _, payload, signature = sign(CLAIMS, algorithm="PS256").split(".")
    as_pkcs1 = segment({"alg": "RS256", "kid": "key-1"})
    assert _refusal(f"{as_pkcs1}.{payload}.{signature}") == "id_token.signature"


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])
def test_keys_in_the_header_are_ignored(member: str) -> None:
    attacker = rsa_key(9)
    values: dict[str, Any] = {"jwk": public_jwk(attacker), "x5c": ["AAAA"]}
    value = values.get(member, "https://evil.example/keys")
    assert _refusal(sign(CLAIMS, key=attacker, **{member: value})) == "id_token.signature"
    assert _refusal(sign(CLAIMS, key=attacker, kid="theirs", **{member: value})) == "id_token.key"
    assert _verify(sign(CLAIMS, **{member: value})).claims == CLAIMS


@pytest.mark.parametrize(
    "extension",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": True},
        {"crit": ["b64"], "b64": False},
        {"crit": []},
        {"crit": None},
        {"crit": "exp"},
        {"b64": False},
        {"b64": True},
    ],
    ids=str,
)
def test_critical_extensions_are_refused(extension: dict[str, Any]) -> None:
    assert _refusal(sign(CLAIMS, **extension)) == "id_token.critical"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "application/jwt", "APPLICATION/JWT", ...])
def test_the_generic_type_or_none_is_accepted(typ: object) -> None:
    assert _verify(sign(CLAIMS, typ=typ)).claims == CLAIMS


@pytest.mark.parametrize(
    "typ", ["at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "", None, 1, ["JWT"]]
)
def test_the_type_of_another_kind_of_token_is_refused(typ: object) -> None:
    assert _refusal(sign(CLAIMS, typ=typ)) == "id_token.type"


@pytest.mark.parametrize("kid", [None, 1, ["key-1"], {}])
def test_an_identifier_that_is_not_a_string_is_refused(kid: object) -> None:
    assert _refusal(sign(CLAIMS, kid=kid)) == "id_token.malformed"


def test_an_unknown_identifier_asks_for_fresher_keys() -> None:
    with pytest.raises(UnknownKey) as caught:
        _verify(sign(CLAIMS, kid="rotated"))
    assert caught.value.reason == "id_token.key"


def test_an_empty_key_set_verifies_nothing() -> None:
    with pytest.raises(UnknownKey):
        _verify(sign(CLAIMS), keys=ProviderKeys())


def test_the_identifier_of_a_key_of_another_kind_asks_for_fresher_keys() -> None:
    keys = parse_keys(key_set(public_jwk(key_for("ES256"), kid="key-1")))
    with pytest.raises(UnknownKey):
        _verify(sign(CLAIMS), keys=keys)


def test_a_token_without_an_identifier_verifies_with_the_only_key() -> None:
    keys = parse_keys(key_set(public_jwk(rsa_key(), kid="a")))
    assert _verify(sign(CLAIMS, kid=...), keys=keys).claims == CLAIMS


def test_a_token_without_an_identifier_is_tried_with_every_fitting_key() -> None:
    keys = parse_keys(key_set(public_jwk(rsa_key(1), kid="a"), public_jwk(rsa_key(), kid="b")))
    assert _verify(sign(CLAIMS, kid=...), keys=keys).claims == CLAIMS
    with pytest.raises(UnknownKey):
        _verify(sign(CLAIMS, kid=..., key=rsa_key(2)), keys=keys)


def test_a_key_for_encryption_verifies_nothing() -> None:
    keys = parse_keys(key_set(public_jwk(rsa_key(), kid="key-1", use="enc")))
    with pytest.raises(UnknownKey):
        _verify(sign(CLAIMS), keys=keys)


def test_a_wrong_signature_under_a_known_identifier_does_not_ask_for_fresher_keys() -> None:
    with pytest.raises(InvalidToken) as caught:
        _verify(sign(CLAIMS, key=rsa_key(1)))
    assert not isinstance(caught.value, UnknownKey)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        "..",
        "...",
        '{"payload": "e30", "signatures": []}',
        "é.é.é",
        f"{segment([])}.{segment(CLAIMS)}.AAAA",
        f"{segment(b'not json')}.{segment(CLAIMS)}.AAAA",
        segment(b'{"alg":"none","alg":"RS256"}') + f".{segment(CLAIMS)}.AAAA",
        f" {sign(CLAIMS)}",
        f"{sign(CLAIMS)}\n",
        f"{sign(CLAIMS)}=",
        f"{sign(CLAIMS)}.",
        sign(CLAIMS).replace(".", ".="),
    ],
)
def test_what_is_not_one_compact_serialisation_is_refused(token: str) -> None:
    assert _refusal(token) == "id_token.malformed"


def test_an_encrypted_token_is_refused_by_its_name() -> None:
    assert _refusal(encrypted(sign(CLAIMS))) == "id_token.encrypted"


@pytest.mark.parametrize(
    "token",
    [
        f"{sign(CLAIMS)}.a.b",
        f"{segment({'alg': 'RSA-OAEP'})}.a.b.c.d",
        f"{segment(['enc'])}.a.b.c.d",
        f"{segment(b'not json')}.a.b.c.d",
        "....",
    ],
)
def test_five_parts_alone_are_no_encrypted_token(token: str) -> None:
    assert _refusal(token) == "id_token.malformed"


@pytest.mark.parametrize("signature", ["", segment(b"x" * 1025)], ids=["empty", "too long"])
def test_a_signature_of_impossible_length_is_refused(signature: str) -> None:
    head, payload, _ = sign(CLAIMS).split(".")
    assert _refusal(f"{head}.{payload}.{signature}") == "id_token.signature"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b'{"sub": "a", "sub": "b"}',
        b'{"sub": "\\ud800"}',
        b"\xff",
        b'{"exp": 1e999}',
    ],
)
def test_a_signed_payload_that_is_not_one_unambiguous_object_is_refused(payload: bytes) -> None:
    assert _refusal(sign(payload)) == "id_token.malformed"


def test_a_token_over_the_size_limit_is_refused_unread() -> None:
    large = sign({"groups": "g" * 22_000})
    assert MAX_TOKEN_SIZE - 4000 < len(large) <= MAX_TOKEN_SIZE
    assert _verify(large).claims["groups"] == "g" * 22_000
    assert _refusal("." * (MAX_TOKEN_SIZE + 1)) == "id_token.too_large"
    assert _refusal(sign({"groups": "g" * 24_600})) == "id_token.too_large"


TOKENS = {
    name: sign({"sub": "user-1", "aud": "timesheets-app"}, algorithm=name) for name in ("RS256", "ES256", "Ed25519")
}


@given(st.sampled_from(sorted(TOKENS)), st.data())
def test_a_token_with_any_one_character_changed_is_refused(algorithm: str, data: st.DataObject) -> None:
    token = TOKENS[algorithm]
    position = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters(min_codepoint=0, max_codepoint=0x17F).filter(lambda c: c != token[position]))
    _refusal(token[:position] + character + token[position + 1 :])


@given(st.sampled_from(sorted(TOKENS)), st.data())
def test_a_token_with_a_character_more_or_less_is_refused(algorithm: str, data: st.DataObject) -> None:
    token = TOKENS[algorithm]
    position = data.draw(st.integers(0, len(token) - 1))
    _refusal(token[:position] + token[position + 1 :])
    _refusal(token[:position] + data.draw(st.sampled_from("A.=-_ \n")) + token[position:])


def test_an_error_does_not_carry_the_token() -> None:
    with pytest.raises(InvalidToken) as caught:
        _verify(f"{segment(b'secret')}.{segment(CLAIMS)}.AAAA")
    assert caught.value.args == ("id_token.malformed",)
    assert caught.value.__suppress_context__
    assert "user-1" not in repr(_verify(sign(CLAIMS)))
