"""Proofs of possession: the key a session's tokens are bound to, and what it signs for each request (RFC 9449).

     key as it is kept: private value (32 bytes) | x (32 bytes) | y (32 bytes), on P-256

With the public point beside it a key is at hand in a tenth of the time that deriving the point takes. Signatures are
made by `cryptography` itself, not through a JWK, for there is one on every proxied call.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateNumbers,
    EllipticCurvePublicNumbers,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from bff.oauth.base64url import encode
from bff.oauth.json_document import MalformedDocument, parse_object

ALGORITHM: Final = "ES256"
KEY_LENGTH: Final = 96
MAX_NONCE: Final = 1024
MAX_REFUSAL: Final = 64 * 1024

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CURVE: Final = SECP256R1()
_SIGNATURE: Final = ECDSA(SHA256())
_NONCE: Final = re.compile(r"[!#-\[\]-~]+", re.ASCII)


class DpopKey:
    """A private key on P-256; `encoded` is what to keep of it, under seal. Raises `ValueError` if that is no key."""

    __slots__ = ("_header", "_jwk", "_private", "encoded")

    def __init__(self, encoded: bytes) -> None:
        if len(encoded) != KEY_LENGTH:
            raise ValueError("a DPoP key has 96 bytes")
        x, y = encoded[32:64], encoded[64:]
        public = EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), _CURVE)
        self._private = EllipticCurvePrivateNumbers(int.from_bytes(encoded[:32]), public).private_key()
        self.encoded = encoded
        # The members in the order of RFC 7638 section 3, so that the same text is hashed and sent.
        self._jwk = f'{{"crv":"P-256","kty":"EC","x":"{encode(x)}","y":"{encode(y)}"}}'
        self._header = encode(f'{{"typ":"dpop+jwt","alg":"{ALGORITHM}","jwk":{self._jwk}}}'.encode())

    def __repr__(self) -> str:
        return "DpopKey(…)"

    @property
    def thumbprint(self) -> str:
        """The hash that names the key, as `dpop_jkt` does (section 10, RFC 7638)."""
        return encode(hashlib.sha256(self._jwk.encode()).digest())

    def proof(
        self,
        *,
        method: str,
        url: str,
        now: float,
        random_bytes: Callable[[int], bytes],
        access_token: str | None = None,
        nonce: str | None = None,
    ) -> str:
        """Return a proof for one request (section 4.2); `url` is the request's, its query and fragment are left out.

        `access_token` is the one the request carries, `nonce` the newest that its receiver has given.
        """
        claims: dict[str, str | int] = {
            "jti": encode(random_bytes(16)),
            "htm": method,
            "htu": url.partition("#")[0].partition("?")[0],
            "iat": int(now),
        }
        if access_token is not None:
            claims["ath"] = encode(hashlib.sha256(access_token.encode("ascii")).digest())
        if nonce is not None:
            claims["nonce"] = nonce
        payload = encode(json.dumps(claims, separators=(",", ":")).encode("ascii"))
        signed = f"{self._header}.{payload}"
        r, s = decode_dss_signature(self._private.sign(signed.encode("ascii"), _SIGNATURE))
        return f"{signed}.{encode(r.to_bytes(32) + s.to_bytes(32))}"


def new_dpop_key(random_bytes: Callable[[int], bytes]) -> DpopKey:
    """Return a fresh key; 384 random bits leave no value more likely than another (FIPS 186-5 appendix A.2.1)."""
    private = int.from_bytes(random_bytes(48)) % (_ORDER - 1) + 1
    point = derive_private_key(private, _CURVE).public_key().public_numbers()
    return DpopKey(private.to_bytes(32) + point.x.to_bytes(32) + point.y.to_bytes(32))


def supports_dpop(algorithms: Sequence[str] | None) -> bool:
    """Whether a provider that lists these in its metadata takes our proofs (section 5.1)."""
    return algorithms is not None and ALGORITHM in algorithms


def is_nonce_demand(status: int, body: bytes) -> bool:
    """Whether an authorization server refuses a request only for want of its nonce (section 8)."""
    if status not in (400, 401):
        return False
    try:
        return parse_object(body, max_size=MAX_REFUSAL).get("error") == "use_dpop_nonce"
    except MalformedDocument:
        return False


def parse_nonce(value: str | None) -> str | None:
    """Return a `DPoP-Nonce` field that can be sent back (section 8.1), None for any other."""
    if value is None or len(value) > MAX_NONCE or not _NONCE.fullmatch(value):
        return None
    return value
