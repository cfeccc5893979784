"""Key sets as providers publish them, with keys that fit nothing among those that do."""

from __future__ import annotations

import functools
import warnings
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import RSAKey

from tests.support.lying_provider import Realm
from tests.support.signed_tokens import key_for, public_jwk, rsa_key, segment

ENCRYPTION_KEY = 50
PUBLISHED_PRIVATE_KEY = 51


@functools.cache
def weak_key() -> RSAKey:
    """An RSA key of 1024 bits."""
    private = rsa.generate_private_key(65537, 1024)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return RSAKey.import_key(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def set_with_decoys(realm: Realm) -> list[dict[str, Any]]:
    """Keys of other algorithms and uses under the signing key's own `kid`, the signing key in their midst."""
    kid = realm.kid
    return [
        {"kty": "oct", "kid": kid, "k": segment(realm.client_secret.encode()), "alg": "HS256"},
        public_jwk(key_for("ES256"), kid=kid, use="sig", alg="ES256"),
        public_jwk(rsa_key(ENCRYPTION_KEY), kid=kid, use="enc"),
        {"kty": "future", "kid": kid, "use": "sig"},
        public_jwk(realm.key, kid=kid, use="sig", alg=realm.algorithm),
        public_jwk(key_for("EdDSA"), kid=kid, use="sig"),
        public_jwk(weak_key(), kid="weak", use="sig", alg="RS256"),
        {**rsa_key(PUBLISHED_PRIVATE_KEY).as_dict(private=True), "kid": "private", "use": "sig", "alg": "RS256"},
    ]
