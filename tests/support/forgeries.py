"""Forged tokens: what can be made without the provider's private key, and true signatures over odd things."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.lies import Draft, Forge, applied, honestly
from tests.support.signed_tokens import rsa_key, segment, sign


def unsigned(algorithm: object) -> Forge:
    """No signature, and an `alg` that says so."""
    return lambda draft: f"{segment(_header(draft, alg=algorithm))}.{segment(draft.claims)}."


def signed_with_client_secret(draft: Draft) -> str:
    """HS256 with the client secret, as some providers do it."""
    return _mac(draft, draft.client_secret.encode())


def signed_with_public_pem(draft: Draft) -> str:
    """HS256 with the text of the public key, which everybody has."""
    public = draft.key.public_key
    return _mac(draft, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def signed_with_public_jwk(draft: Draft) -> str:
    """HS256 with the JWK of the public key as text."""
    return _mac(draft, json.dumps(draft.key.as_dict(private=False)).encode())


def _mac(draft: Draft, secret: bytes) -> str:
    signed = f"{segment(_header(draft, alg='HS256'))}.{segment(draft.claims)}"
    return f"{signed}.{segment(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def signed_by_stranger(**header: Any) -> Forge:
    """Another RSA key's signature, under the provider's `kid` unless `header` says otherwise."""
    return lambda draft: draft.signed(key=rsa_key(99), **header)


def with_own_key_in_header(draft: Draft) -> str:
    """A stranger's signature and the stranger's public key beside it, as `jwk`."""
    stranger = rsa_key(99)
    return draft.signed(key=stranger, kid="stranger", jwk=stranger.as_dict(private=False))


def with_broken_signature(draft: Draft) -> str:
    """One bit of the signature is wrong."""
    head, payload, signature = honestly(draft).split(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[10] ^= 1
    return f"{head}.{payload}.{segment(bytes(raw))}"


def with_other_payload(**claims: Any) -> Forge:
    """The claims were changed after signing."""

    def forge(draft: Draft) -> str:
        head, _, signature = honestly(draft).split(".")
        return f"{head}.{segment({**draft.claims, **claims})}.{signature}"

    return forge


def without_signature(draft: Draft) -> str:
    """A token whose signature was cut off, `alg` as it was."""
    return honestly(draft).rpartition(".")[0] + "."


def with_raw_payload(build: Callable[[bytes], bytes]) -> Forge:
    """A true signature over a payload that is not what JSON writers make."""
    return lambda draft: _raw(draft, build(json.dumps(draft.claims).encode()))


def _raw(draft: Draft, payload: bytes) -> str:
    return sign(payload, algorithm="RS256", key=draft.key, header=draft.header)


def padded(draft: Draft) -> str:
    """Base64 padding on the signature, which no JWS has."""
    return honestly(draft) + "=="


def with_newlines(draft: Draft) -> str:
    """A line break within the token."""
    head, payload, signature = honestly(draft).split(".")
    return f"{head}.\r\n{payload}.{signature}"


def encrypted_shape(draft: Draft) -> str:
    """Five parts, as a JWE has them."""
    return f"{segment({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.a2V5.aXY.dGV4dA.dGFn"


def text(value: str) -> Forge:
    """Something that is no token."""
    return lambda draft: value


def _header(draft: Draft, **changes: Any) -> dict[str, Any]:
    return applied(draft.header, changes, 0)
