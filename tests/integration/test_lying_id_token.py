"""The ID token of a login: whatever is wrong with it, nobody is logged in, and UserInfo is never asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.forgeries import (
    encrypted_shape,
    padded,
    signed_by_stranger,
    signed_with_client_secret,
    signed_with_public_jwk,
    signed_with_public_pem,
    text,
    unsigned,
    with_broken_signature,
    with_other_payload,
    with_own_key_in_header,
    with_raw_payload,
    without_signature,
)
from tests.support.key_sets import ENCRYPTION_KEY, PUBLISHED_PRIVATE_KEY, weak_key
from tests.support.lies import Bend, Forge, Tokens, ago, ahead, as_float, as_text
from tests.support.login_lies import LoginLie, LoginQuirk, assert_accepted, assert_refused
from tests.support.signed_tokens import CLIENT_ID as STRANGE_CLIENT
from tests.support.signed_tokens import key_for, rsa_key
from tests.support.stage import Scene

US = "timesheets"
assert US != STRANGE_CLIENT
ATTACKER = "https://attacker.example"
PLAIN: dict[str, Any] = {"deployment": "plain"}


def claim(rule: str, reason: str, /, **claims: Any) -> LoginLie:
    """Claims that are not true, truly signed."""
    return LoginLie(rule, Bend(tokens=Tokens(claims=claims)), f"id_token.{reason}")


def header(rule: str, reason: str, /, **members: Any) -> LoginLie:
    """A header that is not as it should be, truly signed."""
    return LoginLie(rule, Bend(tokens=Tokens(header=members)), f"id_token.{reason}")


def forged(rule: str, reason: str, forge: Forge, /, **options: Any) -> LoginLie:
    """A token that the provider has not signed, or not as it should."""
    return LoginLie(rule, Bend(tokens=Tokens(forge=forge)), f"id_token.{reason}", **options)


def asked(rule: str, reason: str, parameters: dict[str, str], /, **claims: Any) -> LoginLie:
    """The login asked for something that the ID token does not confirm."""
    return LoginLie(rule, Bend(tokens=Tokens(claims=claims)), f"id_token.{reason}", parameters=parameters)


CLAIM_LIES = [
    claim("iss is another provider's", "issuer", iss=ATTACKER),
    claim("iss is missing", "issuer", iss=...),
    claim("iss is a list", "issuer", iss=[ATTACKER]),
    claim("iss is null", "issuer", iss=lambda _: None),
    claim("aud is another client", "audience", aud=STRANGE_CLIENT),
    claim("aud is missing", "audience", aud=...),
    claim("aud is an empty list", "audience", aud=[]),
    claim("aud is an object", "audience", aud={US: True}),
    claim("aud has a number beside us", "audience", aud=[US, 5]),
    claim("aud begins like us", "audience", aud=f"{US}-2"),
    claim("aud has a second audience nobody trusts", "audience", aud=[US, STRANGE_CLIENT]),
    claim("aud has a second audience nobody trusts and azp is us", "audience", aud=[US, STRANGE_CLIENT], azp=US),
    claim("aud is another client and azp is us", "audience", aud=STRANGE_CLIENT, azp=US),
    claim("aud is us and azp is another client", "authorized_party", azp=STRANGE_CLIENT),
    claim("aud is us twice and azp is missing", "authorized_party", aud=[US, US]),
    claim("azp is a list", "authorized_party", azp=[US]),
    claim("nonce is another login's", "nonce", nonce="n" * 43),
    claim("nonce is missing", "nonce", nonce=...),
    claim("nonce is a list", "nonce", nonce=["n"]),
    claim("nonce is empty", "nonce", nonce=""),
    claim("sub is missing", "sub", sub=...),
    claim("sub is empty", "sub", sub=""),
    claim("sub is a number", "sub", sub=4711),
    claim("sub is longer than 255 characters", "sub", sub="u" * 256),
    claim("sub has a control character", "sub", sub="user\r\nX-User: root"),
    claim("sub is null", "sub", sub=lambda _: None),
    claim("exp has passed", "expired", exp=ago(90)),
    claim("exp has passed by minutes", "expired", exp=ago(360), iat=ago(560)),
    claim("exp is missing", "exp", exp=...),
    claim("exp is beyond all time", "exp", exp=1e300),
    claim("exp is text", "exp", exp=as_text(ahead(300))),
    claim("exp is true", "exp", exp=True),
    claim("exp is negative", "exp", exp=-1),
    claim("exp is a list", "exp", exp=[4_000_000_000]),
    claim("exp is null", "exp", exp=lambda _: None),
    claim("iat is missing", "iat", iat=...),
    claim("iat is in the future", "iat", iat=ahead(120)),
    claim("iat is text", "iat", iat=as_text(ago(1))),
    claim("iat is of yesterday", "iat", iat=ago(86_400), exp=ahead(86_400)),
    claim("nbf is in the future", "nbf", nbf=ahead(120)),
    claim("nbf is text", "nbf", nbf=as_text(ago(1))),
    claim("at_hash is of another access token", "at_hash", at_hash="A" * 22),
    claim("at_hash is a number", "at_hash", at_hash=5),
    claim("at_hash is null", "at_hash", at_hash=lambda _: None),
    claim("at_hash is the whole digest", "at_hash", at_hash="A" * 43),
    claim("sid is a list", "sid", sid=["sid"]),
    claim("acr is a number", "acr", acr=3),
    claim("auth_time is text", "auth_time", auth_time=as_text(ago(1))),
    asked("max_age was asked and auth_time is missing", "auth_time", {"max_age": "600"}, auth_time=...),
    asked("max_age was asked and the login is older", "auth_time", {"max_age": "600"}, auth_time=ago(720)),
    asked("max_age was asked and the login has yet to come", "auth_time", {"max_age": "600"}, auth_time=ahead(120)),
]

HEADER_LIES = [
    header("a critical extension is unknown", "critical", crit=["exp"], exp=4_000_000_000),
    header("the payload is said to be unencoded", "critical", b64=False, crit=["b64"]),
    header("it is typed as an access token", "type", typ="at+jwt"),
    header("it is typed as a logout token", "type", typ="logout+jwt"),
    header("its type is a number", "type", typ=1),
    header("kid is a number", "malformed", kid=1),
    header("kid is a list", "malformed", kid=["signing"]),
    header("kid is of a weak key", "key", kid="weak"),
    header("kid is a path", "key", kid="../../../../dev/null"),
]

SIGNATURE_LIES = [
    forged("it is not signed", "algorithm", unsigned("none")),
    forged("it is not signed, in other letters", "algorithm", unsigned("nOnE")),
    forged("its algorithm is empty", "algorithm", unsigned("")),
    forged("its algorithm is missing", "algorithm", unsigned(...)),
    forged("its algorithm is a list", "algorithm", unsigned(["RS256"])),
    forged("it is not signed, which the provider's metadata permit", "algorithm", unsigned("none"), **PLAIN),
    forged("its signature is cut off", "signature", without_signature),
    forged("it has a MAC made with the client secret", "algorithm", signed_with_client_secret),
    forged("it has a MAC made with the client secret, which metadata permit", "algorithm", signed_with_client_secret,
           **PLAIN),
    forged("it has a MAC made with the public key as PEM", "algorithm", signed_with_public_pem),
    forged("it has a MAC made with the public key as PEM, which metadata permit", "algorithm", signed_with_public_pem,
           **PLAIN),
    forged("it has a MAC made with the public key as JWK", "algorithm", signed_with_public_jwk, **PLAIN),
    forged("it is signed with a published key of an algorithm that metadata do not list", "algorithm",
           lambda draft: draft.signed(algorithm="ES256", key=key_for("ES256"))),
    forged("it is signed in another way with the right key", "algorithm",
           lambda draft: draft.signed(algorithm="PS256")),
    forged("it says RS512 over an RS256 signature", "algorithm",
           lambda draft: draft.signed(algorithm="RS256", alg="RS512")),
    forged("it says PS256 over an RS256 signature, both listed", "signature",
           lambda draft: draft.signed(algorithm="RS256", alg="PS256"), **PLAIN),
    forged("its at_hash is made with another digest than its signature", "at_hash",
           lambda draft: draft.signed(algorithm="ES384", key=key_for("ES384"), kid="ES384"), **PLAIN),
    forged("it is signed by a stranger under the right kid", "signature", signed_by_stranger()),
    forged("it is signed by a stranger under a kid of their own", "key", signed_by_stranger(kid="stranger")),
    forged("it is signed by a stranger under no kid", "key", signed_by_stranger(kid=...)),
    forged("it brings its own key", "key", with_own_key_in_header),
    forged("it brings its own key under the right kid", "signature",
           lambda draft: draft.signed(key=rsa_key(99), jwk=rsa_key(99).as_dict(private=False))),
    forged("it says where its key is", "signature", signed_by_stranger(jku=f"{ATTACKER}/jwks", x5u=f"{ATTACKER}/x5")),
    forged("it brings its own certificate", "signature", signed_by_stranger(x5c=["MIIB"])),
    forged("it is signed with the key for encryption", "signature",
           lambda draft: draft.signed(key=rsa_key(ENCRYPTION_KEY))),
    forged("it is signed with a key of 1024 bits", "key", lambda draft: draft.signed(key=weak_key(), kid="weak")),
    forged("it is signed with a private key that was published", "key",
           lambda draft: draft.signed(key=rsa_key(PUBLISHED_PRIVATE_KEY), kid="private")),
    forged("one bit of its signature is wrong", "signature", with_broken_signature),
    forged("its claims were changed after signing", "signature", with_other_payload(sub="user-of-somebody-else")),
]  # fmt: skip

FORM_LIES = [
    forged("it is no token", "malformed", text("not-a-token")),
    forged("it is three dots", "malformed", text("...")),
    forged("it is three empty parts", "malformed", text("..")),
    forged("it is encrypted", "encrypted", encrypted_shape),
    forged("it is padded", "malformed", padded),
    forged("its claims are a list", "malformed", with_raw_payload(lambda payload: b"[%s]" % payload)),
    forged("its claims say sub twice", "malformed",
           with_raw_payload(lambda payload: payload[:-1] + b',"sub":"user-of-somebody-else"}')),
    forged("its claims say aud twice within", "malformed",
           with_raw_payload(lambda payload: payload[:-1] + b',"act":{"sub":"a","sub":"b"}}')),
    forged("its claims hold a number that is none", "malformed",
           with_raw_payload(lambda payload: payload[:-1] + b',"x":NaN}')),
    forged("its claims hold infinity", "malformed", with_raw_payload(lambda payload: payload[:-1] + b',"x":1e400}')),
    forged("its claims are not UTF-8", "malformed", with_raw_payload(lambda payload: payload[:-1] + b',"x":"\xff"}')),
    forged("its claims hold half a character", "malformed",
           with_raw_payload(lambda payload: payload[:-1] + b',"x":"\\ud800"}')),
    forged("its claims are nested without end", "malformed",
           with_raw_payload(lambda payload: payload[:-1] + b',"x":' + b"[" * 3000 + b"]" * 3000 + b"}")),
    forged("its claims are no JSON", "malformed", with_raw_payload(lambda payload: b"sub=user")),
    forged("it is longer than any ID token", "too_large",
           with_raw_payload(lambda payload: payload[:-1] + b',"x":"' + b"x" * 40_000 + b'"}')),
]  # fmt: skip


def honest(rule: str, /, *, header: dict[str, Any] | None = None, **claims: Any) -> LoginQuirk:
    """An odd ID token that is as it must be all the same."""
    return LoginQuirk(rule, Bend(tokens=Tokens(claims=claims, header=header or {})))


def plain(rule: str, forge: Forge) -> LoginQuirk:
    """An algorithm that only the plain provider lists."""
    tokens = Tokens(claims={"name": "Ada"}, forge=forge)
    return LoginQuirk(rule, Bend(response={"iss": ...}, tokens=tokens), {"name": "Ada"}, ("token",), "plain")


QUIRKS = [
    honest("kid is missing and keys of other kinds are published", header={"kid": ...}),
    honest("typ is missing", header={"typ": ...}),
    honest("typ is in full", header={"typ": "application/JWT"}),
    honest("the header has members nobody knows", header={"x5t": "abc", "cty": "json"}),
    honest("the header has a jwk, which is ignored", header={"jwk": rsa_key(99).as_dict(private=False)}),
    honest("aud is a list of us alone", aud=[US]),
    honest("aud is a list of us alone and azp is us", aud=[US], azp=US),
    honest("azp is us", azp=US),
    honest("auth_time is a fraction", auth_time=as_float(ago(3))),
    honest("auth_time is 0", auth_time=0),
    honest("auth_time is missing", auth_time=...),
    honest("there is no sid", sid=...),
    honest("there is no at_hash", at_hash=...),
    honest("iat and exp are fractions", iat=as_float(ago(2)), exp=as_float(ahead(300))),
    honest("the provider's clock is half a minute ahead", iat=ahead(30), nbf=ahead(30)),
    honest("the provider's clock is half a minute behind", iat=ago(60), exp=ago(30)),
    honest("nbf has come", nbf=ago(10)),
    honest("exp is years away", exp=ahead(10 * 365 * 86_400)),
    honest("claims nobody knows are there", groups=["a"] * 200, address={"country": "AQ"}, nothing=lambda _: None),
    honest("acr and amr are there", acr="urn:mace:incommon:iap:silver", amr=["pwd", "otp"]),
    LoginQuirk("max_age was asked and the login is fresh enough",
               Bend(tokens=Tokens(claims={"auth_time": ago(300)})), parameters={"max_age": "600"}),
    LoginQuirk("max_age is 0 and the login is of just now",
               Bend(tokens=Tokens(claims={"auth_time": ago(1)})), parameters={"max_age": "0"}),
    plain("it is signed with ES256", lambda draft: draft.signed(algorithm="ES256", key=key_for("ES256"), kid="ES256")),
    plain("it is signed with PS256", lambda draft: draft.signed(algorithm="PS256")),
    plain("it is signed with ES384 and hashed with SHA-384",
          lambda draft: draft.with_hash("sha384").signed(algorithm="ES384", key=key_for("ES384"), kid="ES384")),
    plain("it is signed with EdDSA and hashed with SHA-512",
          lambda draft: draft.with_hash("sha512").signed(algorithm="EdDSA", key=key_for("EdDSA"), kid="EdDSA")),
    plain("it is signed with EdDSA by its new name",
          lambda draft: draft.with_hash("sha512").signed(algorithm="EdDSA", key=key_for("EdDSA"), alg="Ed25519",
                                                         kid="EdDSA")),
    plain("iss is missing from the response and was not promised", lambda draft: draft.signed()),
]  # fmt: skip


@pytest.mark.parametrize("scene", [*CLAIM_LIES, *HEADER_LIES, *SIGNATURE_LIES, *FORM_LIES], ids=str)
def test_a_login_is_refused_if(scene: LoginLie, told: Callable[[Scene[Any]], Any]) -> None:
    assert_refused(scene, told(scene))


@pytest.mark.parametrize("scene", QUIRKS, ids=str)
def test_a_login_is_accepted_though(scene: LoginQuirk, told: Callable[[Scene[Any]], Any]) -> None:
    assert_accepted(scene, told(scene))
