"""Keys of an imaginary provider, and tokens signed with them in every right and wrong way."""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

from joserfc import jwe
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

ISSUER = "https://provider.example"
CLIENT_ID = "timesheets-app"
NOW = 1_800_000_000.0
NONCE = "n-0S6_WzA2Mj-n-0S6_WzA2Mj-n-0S6_WzA2Mj-n-0S"
ACCESS_TOKEN = "SlAV32hkKG.access"

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip

PrivateKey = RSAKey | ECKey | OKPKey


@functools.cache
def rsa_key(number: int = 0) -> RSAKey:
    """Return the RSA key of this number, made once per run."""
    return RSAKey.generate_key(2048)


@functools.cache
def key_for(algorithm: str) -> PrivateKey:
    """Return a private key that can sign with `algorithm`."""
    match algorithm:
        case "ES256":
            return ECKey.generate_key("P-256")
        case "ES384":
            return ECKey.generate_key("P-384")
        case "ES512":
            return ECKey.generate_key("P-521")
        case "Ed25519":
            return key_for("EdDSA")
        case "EdDSA":
            return OKPKey.generate_key("Ed25519")
    return rsa_key()


def public_jwk(key: PrivateKey, **members: Any) -> dict[str, Any]:
    """Return the public half as a JWK with further members."""
    return {**key.as_dict(private=False), **members}


def key_set(*jwks: dict[str, Any]) -> bytes:
    """Return the JWK Set document."""
    return json.dumps({"keys": list(jwks)}).encode()


def segment(value: Any) -> str:
    """Return base64url of bytes, or of anything else as JSON."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(
    payload: Any,
    *,
    algorithm: str = "RS256",
    key: PrivateKey | None = None,
    header: dict[str, Any] | bytes | None = None,
    **header_members: Any,
) -> str:
    """Return a signed token; `header` replaces the whole header, `header_members` add to it."""
    if header is None:
        header = {"alg": algorithm, "kid": "key-1", "typ": "JWT", **header_members}
        header = {name: value for name, value in header.items() if value is not ...}
    signed = f"{segment(header)}.{segment(payload)}"
    signature = JWSRegistry.algorithms[algorithm].sign(signed.encode(), key or key_for(algorithm))
    return f"{signed}.{segment(signature)}"


def encrypted(token: str) -> str:
    """Return a signed token encrypted to a key of the client's (RFC 7516), as some providers can be told to do."""
    header = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "cty": "JWT"}
    return jwe.encrypt_compact(header, token.encode(), rsa_key(99), algorithms=[header["alg"], header["enc"]])


def id_token_claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of an honest ID token; a change to `...` leaves the claim out."""
    claims = {
        "iss": ISSUER,
        "sub": "user-1",
        "aud": CLIENT_ID,
        "exp": int(NOW) + 300,
        "iat": int(NOW),
        "nonce": NONCE,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not ...}


def logout_token_claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of an honest logout token; a change to `...` leaves the claim out."""
    claims = {
        "iss": ISSUER,
        "sub": "user-1",
        "sid": "session-1",
        "aud": CLIENT_ID,
        "exp": int(NOW) + 120,
        "iat": int(NOW),
        "jti": "logout-1",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not ...}
