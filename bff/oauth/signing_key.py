"""The gateway's own private key, with which it signs for the provider (RFC 7517, RFC 7518)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from bff.errors import ClientRefused
from bff.oauth.base64url import encode
from bff.oauth.json_document import MalformedDocument, parse_object
from bff.oauth.keys import MIN_RSA_BITS

_PUBLIC_MEMBERS = ("kty", "crv", "x", "y", "n", "e")
_MAX_SIZE = 256 * 1024
_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_KINDS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
# In the order of choice when the provider lists what it takes: PS256 over RS256 (FAPI 2.0 section 5.4.1).
_RSA_ALGORITHMS: tuple[str, ...] = ("PS256", "RS256", "PS384", "RS384", "PS512", "RS512")
_CURVE_ALGORITHMS: dict[str, tuple[str, ...]] = {
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA", "Ed25519"),
}


class UnusableKey(ValueError):
    """The operator's key cannot sign; the text says why in words, without any of the key."""


class SigningKey:
    """A private key, the algorithms it can sign with in the order of choice, and its identifier if it has one."""

    __slots__ = ("_key", "algorithms", "kid")

    def __init__(self, key: RSAKey | ECKey | OKPKey, kid: str | None, algorithms: tuple[str, ...]) -> None:
        self._key = key
        self.kid = kid
        self.algorithms = algorithms

    def algorithm_for(self, supported: Sequence[str] | None) -> str | None:
        """Return the algorithm to sign with for a receiver that takes `supported`; None if there is none.

        A receiver that lists nothing gets what all must take: RS256 for RSA (RFC 7518 section 3.1).
        """
        if supported is not None:
            return next((name for name in self.algorithms if name in supported), None)
        return "RS256" if "RS256" in self.algorithms else self.algorithms[0]

    def public_jwk(self) -> dict[str, Any]:
        """Return the public half, as the provider is to know it (RFC 7517 section 4)."""
        members = self._key.as_dict(private=False)
        jwk = {name: members[name] for name in _PUBLIC_MEMBERS if name in members} | {"use": "sig"}
        if self.kid is not None:
            jwk["kid"] = self.kid
        # A key for RSA signatures is good for several algorithms, which the provider may choose among.
        if not isinstance(self._key, RSAKey) or len(self.algorithms) == 1:
            jwk["alg"] = self.algorithms[0]
        return jwk

    def restricted_to(self, algorithms: Collection[str]) -> SigningKey:
        """Return the same key for no other algorithms than these."""
        return SigningKey(self._key, self.kid, tuple(name for name in self.algorithms if name in algorithms))

    def sign(self, claims: dict[str, Any], *, algorithm: str, typ: str = "JWT") -> str:
        """Return `claims` as a signed token in compact serialisation (RFC 7515 section 3.1)."""
        header = {"alg": algorithm, "typ": typ}
        if self.kid is not None:
            header["kid"] = self.kid
        signed = f"{_segment(header)}.{_segment(claims)}"
        signature = JWSRegistry.algorithms[algorithm].sign(signed.encode("ascii"), self._key)
        return f"{signed}.{encode(signature)}"


def signed_by_one_of(
    keys: Sequence[SigningKey], claims: dict[str, Any], *, algorithms: Sequence[str] | None, typ: str = "JWT"
) -> str:
    """Return `claims` signed with the first of `keys`, newest first, that can sign for a receiver of `algorithms`.

    Raises `ClientRefused` if none can.
    """
    for key in keys:
        algorithm = key.algorithm_for(algorithms)
        if algorithm is not None:
            return key.sign(claims, algorithm=algorithm, typ=typ)
    raise ClientRefused("client_key.algorithm")


def parse_signing_keys(text: str, *, algorithms: Collection[str] | None = None) -> tuple[SigningKey, ...]:
    """Return the private keys in a JWK, a JWK Set or PEM text; their order is kept: newest first.

    In a set, keys that are not for signing are passed over. Keys in PEM are identified by their thumbprints (RFC 7638),
    for some providers take what names no key to be signed with the first they know. `algorithms` are those that may be
    used, None for all. Raises `UnusableKey` if none is left, or for one that is weak, public, encrypted or of a kind
    that cannot sign.
    """
    keys = _parse(text)
    if algorithms is None:
        return keys
    allowed = tuple(key for key in (key.restricted_to(algorithms) for key in keys) if key.algorithms)
    if not allowed:
        raise UnusableKey(f"none of its keys can sign with {', '.join(algorithms)}")
    return allowed


def _parse(text: str) -> tuple[SigningKey, ...]:
    if text.lstrip().startswith("{"):
        return _parse_json(text)
    if "-----BEGIN " not in text:
        raise UnusableKey("it is neither a JWK, a JWK Set nor PEM text")
    blocks = [block[0] for block in _PEM_BLOCK.finditer(text)]
    return tuple(_from_pem(block) for block in blocks or [text])


def _parse_json(text: str) -> tuple[SigningKey, ...]:
    try:
        document = parse_object(text.encode(), max_size=_MAX_SIZE)
    except (MalformedDocument, UnicodeEncodeError):
        raise UnusableKey("it is not valid JSON") from None
    if "keys" not in document:
        return (_from_jwk(document),)
    listed = document["keys"]
    if not isinstance(listed, list) or not all(isinstance(jwk, dict) for jwk in listed):
        raise UnusableKey("`keys` is not a list of JWKs")
    keys = tuple(_from_jwk(jwk) for jwk in listed if jwk.get("use", "sig") == "sig")
    if not keys:
        raise UnusableKey("the JWK Set has no key for signatures")
    return keys


def _from_jwk(jwk: dict[str, Any]) -> SigningKey:
    kty, kid, alg = jwk.get("kty"), jwk.get("kid"), jwk.get("alg")
    if not isinstance(kty, str) or kty not in _KINDS:
        raise UnusableKey("its `kty` is not RSA, EC or OKP")
    if "d" not in jwk:
        raise UnusableKey("it is a public key; the private one is needed")
    if not (kid is None or isinstance(kid, str)) or not (alg is None or isinstance(alg, str)):
        raise UnusableKey("its `kid` or `alg` is not a string")
    material = {name: value for name, value in jwk.items() if name in _KINDS[kty].value_registry}
    return _signing_key(_import(kty, {"kty": kty, **material}), kid, alg)


def _from_pem(text: str) -> SigningKey:
    for kty in _KINDS:
        try:
            key = _import(kty, text)
        except UnusableKey:
            continue
        return _signing_key(key, key.thumbprint(), None)
    raise UnusableKey("the PEM text is not an unencrypted RSA, EC or Ed25519 key")


def _import(kty: str, value: Any) -> RSAKey | ECKey | OKPKey:
    try:
        return _KINDS[kty].import_key(value)
    except Exception:  # noqa: BLE001  # formats fail in many ways that mean the same; the cause may quote the key
        raise UnusableKey("it is malformed") from None


def _signing_key(key: RSAKey | ECKey | OKPKey, kid: str | None, alg: str | None) -> SigningKey:
    if not key.is_private:
        raise UnusableKey("it is a public key; the private one is needed")
    if isinstance(key, RSAKey):
        if key.raw_value.key_size < MIN_RSA_BITS:
            raise UnusableKey(f"RSA keys need {MIN_RSA_BITS} bits or more")
        algorithms = _RSA_ALGORITHMS
    else:
        algorithms = _CURVE_ALGORITHMS.get(key.curve_name, ())
    if alg is not None:
        algorithms = tuple(name for name in algorithms if name == alg)
    if not algorithms:
        raise UnusableKey("its kind, curve or `alg` is not for signatures this gateway makes")
    return SigningKey(key, kid, algorithms)


def _segment(members: dict[str, Any]) -> str:
    return encode(json.dumps(members, separators=(",", ":")).encode("ascii"))
