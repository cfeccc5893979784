"""What a strict server checks of a DPoP proof (RFC 9449 section 4.3), written apart from what makes one."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey

MAX_AGE = 60


class ProofRefused(AssertionError):
    """The proof breaks a rule, which the text names."""


@dataclass
class DpopVerifier:
    """One server; it remembers every `jti` it has seen."""

    seen: set[str] = field(default_factory=set)

    def verify(
        self,
        proof: str,
        *,
        method: str,
        url: str,
        now: float,
        nonce: str | None = None,
        access_token: str | None = None,
    ) -> str:
        """Return the thumbprint of the proof's key; raises `ProofRefused`."""
        header_part, payload_part, _ = proof.split(".")
        header, claims = _json(header_part), _json(payload_part)
        _require(set(header) == {"typ", "alg", "jwk"}, "header")
        _require(header["typ"] == "dpop+jwt" and header["alg"] == "ES256", "typ or alg")
        _require(set(header["jwk"]) == {"kty", "crv", "x", "y"}, "the jwk has more than the public key, or less")
        key = ECKey.import_key(header["jwk"])
        jws.deserialize_compact(proof.encode(), key, algorithms=["ES256"])
        expected = {"jti", "htm", "htu", "iat"}
        expected |= set() if nonce is None else {"nonce"}
        expected |= set() if access_token is None else {"ath"}
        _require(set(claims) == expected, f"claims {sorted(claims)}, not {sorted(expected)}")
        _require(claims["htm"] == method, "htm")
        _require(claims["htu"] == url, f"htu {claims['htu']}, not {url}")
        _require(isinstance(claims["iat"], int) and abs(now - claims["iat"]) <= MAX_AGE, "iat")
        _require(claims.get("nonce") == nonce, "nonce")
        if access_token is not None:
            _require(claims["ath"] == _hash(access_token), "ath")
        _require(len(claims["jti"]) >= 16 and claims["jti"] not in self.seen, "jti")
        self.seen.add(claims["jti"])
        return key.thumbprint()


def _require(fact: bool, rule: str) -> None:
    if not fact:
        raise ProofRefused(rule)


def claims_of(proof: str) -> dict[str, Any]:
    """The claims of a proof that nobody has verified."""
    return _json(proof.split(".")[1])


def _json(part: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return document


def _hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
