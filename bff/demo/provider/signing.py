"""The provider's signing keys, their rotation, and what is signed with them."""

import secrets
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeyParameters, KeySet, KeySetSerialization, RSAKey

ALGORITHM = "RS256"


class SigningKeys:
    """RSA keys, newest first; the newest signs, all that are kept verify and are published."""

    def __init__(self) -> None:
        self._keys = [_new_key()]

    def rotate(self, *, keep_previous: bool) -> None:
        """Sign with a new key from now on; `keep_previous` leaves the old ones published."""
        self._keys = [_new_key(), *(self._keys if keep_previous else ())]

    def published(self) -> KeySetSerialization:
        """The public JWK Set (RFC 7517, section 5)."""
        return KeySet(list(self._keys)).as_dict(private=False)

    def sign(self, claims: dict[str, Any], *, token_type: str) -> str:
        """A compact JWS of `claims` whose header says `typ: token_type`."""
        key = self._keys[0]
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": token_type}
        return jwt.encode(header, claims, key, algorithms=[ALGORITHM], default_type=None)

    def verify(self, token: str, *, token_type: str) -> dict[str, Any]:
        """The claims of a token this provider signed; raises `joserfc.errors.JoseError` or `ValueError`."""
        decoded = jwt.decode(token, KeySet(list(self._keys)), algorithms=[ALGORITHM])
        if decoded.header.get("typ") != token_type:
            raise ValueError("The token is of another type.")
        return decoded.claims


def _new_key() -> RSAKey:
    parameters: KeyParameters = {"use": "sig", "alg": ALGORITHM, "kid": secrets.token_hex(8)}
    return RSAKey.generate_key(2048, parameters)
