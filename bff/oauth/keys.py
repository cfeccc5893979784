"""The provider's public keys (RFC 7517), and which of them fit a signature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from bff.errors import InvalidProviderAnswer
from bff.oauth.base64url import decode
from bff.oauth.json_document import MalformedDocument, parse_object

MAX_SIZE = 512 * 1024
MAX_KEYS = 100
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192

_PUBLIC_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# RFC 9864 gave EdDSA over Ed25519 a name of its own; both mean the same signature.
_ED25519_NAMES = frozenset({"EdDSA", "Ed25519"})
_CURVE_ALGORITHMS: dict[tuple[str, Any], frozenset[str]] = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): _ED25519_NAMES,
}
_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})

PublicKey = RSAKey | ECKey | OKPKey
_IMPORTERS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


@dataclass(frozen=True, slots=True)
class Key:
    """One public key, its identifier if it has one, and the signature algorithms it may be used with."""

    kid: str | None
    algorithms: frozenset[str]
    public: PublicKey


class ProviderKeys:
    """The keys a provider signs with, as published at one moment."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Sequence[Key] = ()) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def candidates(self, algorithm: str, kid: str | None) -> list[Key]:
        """Return the keys a signature made with `algorithm` under `kid` may verify with.

        Several keys of different kinds may share an identifier, and a token or a key may lack one
        (RFC 7517 section 4.5), so this can be more than one.
        """
        return [
            key
            for key in self._keys
            if algorithm in key.algorithms and (kid is None or key.kid is None or key.kid == kid)
        ]

    def has(self, algorithm: str, kid: str | None) -> bool:
        """Whether a key of exactly this identifier fits `algorithm`: fetching the keys again would not help."""
        return kid is not None and any(key.kid == kid and algorithm in key.algorithms for key in self._keys)


def parse_keys(document: bytes) -> ProviderKeys:
    """Return the usable keys of a JWK Set (RFC 7517 section 5); raises `InvalidProviderAnswer`.

    Keys that are malformed, weak, secret, not for signatures or of an unknown kind are left out, so the result may
    be empty: then no signature verifies.
    """
    try:
        members = parse_object(document, max_size=MAX_SIZE)
    except MalformedDocument:
        raise InvalidProviderAnswer("keys.malformed") from None
    listed = members.get("keys")
    if not isinstance(listed, list):
        raise InvalidProviderAnswer("keys.malformed")
    if len(listed) > MAX_KEYS:
        raise InvalidProviderAnswer("keys.too_many")
    return ProviderKeys([key for jwk in listed if (key := _parse_key(jwk)) is not None])


def _parse_key(jwk: Any) -> Key | None:
    if not isinstance(jwk, dict) or not _is_for_verification(jwk):
        return None
    kty, kid = jwk.get("kty"), jwk.get("kid")
    if not isinstance(kty, str) or not (kid is None or isinstance(kid, str)):
        return None
    material: dict[str, Any] = {name: jwk.get(name) for name in _PUBLIC_MEMBERS.get(kty, ())}
    try:
        algorithms = _restricted(_algorithms(kty, material), jwk.get("alg"))
        if not algorithms:
            return None
        return Key(kid, algorithms, _IMPORTERS[kty].import_key({"kty": kty, **material}))
    except (JoseError, ValueError, TypeError):
        return None


def _is_for_verification(jwk: dict[str, Any]) -> bool:
    if not _SECRET_MEMBERS.isdisjoint(jwk):
        # A published secret is everybody's: whatever it signed may come from anybody.
        return False
    if jwk.get("use", "sig") != "sig":
        return False
    operations = jwk.get("key_ops", ["verify"])
    return isinstance(operations, list) and "verify" in operations


def _algorithms(kty: str, material: dict[str, Any]) -> frozenset[str]:
    """Return what a key of this kind, size and curve can verify; raises `ValueError` for malformed parts."""
    if kty == "RSA":
        bits = int.from_bytes(decode(material["n"])).bit_length()
        decode(material["e"])
        return _RSA_ALGORITHMS if MIN_RSA_BITS <= bits <= MAX_RSA_BITS else frozenset()
    for name in material.keys() - {"crv"}:
        decode(material[name])
    return _CURVE_ALGORITHMS.get((kty, material.get("crv")), frozenset())


def _restricted(algorithms: frozenset[str], alg: Any) -> frozenset[str]:
    if alg is None:
        return algorithms
    return algorithms & _ED25519_NAMES if alg in _ED25519_NAMES else algorithms & {alg}
