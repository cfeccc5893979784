"""Sealing: a session record only the gateway can open, and only together with the browser's cookie.

    sealed record, value the instances share, and sealed login transaction (this in base64url):

     0         1               9                 21                       n-16        n
     +---------+---------------+-----------------+------------------------+-----------+
     | format  | key id        | nonce           | ciphertext             | tag       |
     | 1 byte  | 8 bytes       | 12 random bytes | MessagePack record     | 16 bytes  |
     +---------+---------------+-----------------+------------------------+-----------+

     AES-256-GCM (NIST SP 800-38D)
       key              HMAC-SHA-256(sealing key of the secret key with that key id, handle)
       associated data  format | key id | context (32 bytes) | store key

So a copy of the store opens nothing, a leaked secret key opens nothing without the cookie, two records cannot change
places, and a record cannot move to a gateway with another issuer, client or origin. Every session has its own key,
so a random nonce never comes near its limit. Every part of the associated data but the last has a fixed length.

What belongs to no session has no handle: a value that the instances share is sealed under a key derived from the
secret key and the value's own name.

The newest secret key seals; all of them open. The key id, derived from the secret key by HKDF, says which.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bff.session.record import SessionRecord, decode_record, encode_record

FORMAT: Final = b"\x01"
KEY_ID_LENGTH: Final = 8
NONCE_LENGTH: Final = 12
TAG_LENGTH: Final = 16
CONTEXT_LENGTH: Final = 32
MINIMUM_SECRET_KEY_LENGTH: Final = 32

_NONCE_START: Final = 1 + KEY_ID_LENGTH
_CIPHERTEXT_START: Final = _NONCE_START + NONCE_LENGTH
_MINIMUM_LENGTH: Final = _CIPHERTEXT_START + TAG_LENGTH


class SealBroken(Exception):
    """What was sealed cannot be opened: altered, swapped, of another gateway, or under a key no longer configured.

    `reason` is a stable word for the log: `format`, `key_unknown`, `tag` or `record`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def sealing_context(issuer: str, client_id: str, origin: str) -> bytes:
    """Return the 32 bytes that stand for one application at one provider; every part is hashed with its length."""
    return hash_parts("bff sealing context", issuer, client_id, origin)


def hash_parts(*parts: str) -> bytes:
    """Return the SHA-256 of the parts, each preceded by its length, so that no two lists hash alike by joining."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.digest()


class _SealingKey:
    """What is derived from one secret key: its id, and one pre-computed HMAC state per purpose."""

    __slots__ = ("associated_data", "prefix", "session", "shared", "transaction")

    def __init__(self, secret_key: bytes, context: bytes) -> None:
        self.prefix = FORMAT + _derive(secret_key, b"bff key id", KEY_ID_LENGTH)
        self.associated_data = self.prefix + context
        self.session = HMAC(_derive(secret_key, b"bff session record", 32), SHA256())
        self.shared = HMAC(_derive(secret_key, b"bff shared value", 32), SHA256())
        self.transaction = HMAC(_derive(secret_key, b"bff login transaction", 32), SHA256())


class Sealer:
    """Seals and opens session records and login transactions under an ordered list of secret keys.

    `secret_keys` are ordered newest first, each at least 32 bytes; `context` comes from `sealing_context`. Raises
    `ValueError` for a list that is empty or holds too short a key.
    """

    def __init__(
        self,
        secret_keys: Sequence[bytes],
        context: bytes,
        *,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        if not secret_keys or any(len(key) < MINIMUM_SECRET_KEY_LENGTH for key in secret_keys):
            raise ValueError("secret keys: at least one, each of at least 32 bytes")
        if len(context) != CONTEXT_LENGTH:
            raise ValueError("context: 32 bytes, from sealing_context()")
        self._random_bytes = random_bytes
        keys = [_SealingKey(secret_key, context) for secret_key in secret_keys]
        self._newest = keys[0]
        self._keys = {key.prefix: key for key in keys}
        self._store_key_state = hashlib.sha256(b"bff store key\x00" + context)

    def store_key(self, handle: bytes) -> str:
        """Return the name under which the session of this handle is stored: a hash, 64 hexadecimal digits."""
        state = self._store_key_state.copy()
        state.update(handle)
        return state.hexdigest()

    def seal(self, record: SessionRecord, handle: bytes, key: str) -> bytes:
        """Return the record sealed under the newest secret key, for this handle and store key only."""
        newest = self._newest
        return self._encrypt(newest, _subkey(newest.session, handle), encode_record(record), key.encode())

    def open(self, sealed: bytes, handle: bytes, key: str) -> SessionRecord:
        """Return the record; raises `SealBroken` for whatever was not sealed for this handle, key and context."""
        sealing_key = self._key_of(sealed)
        data = _decrypt(sealed, _subkey(sealing_key.session, handle), sealing_key.associated_data + key.encode())
        try:
            return decode_record(data)
        except msgspec.MsgspecError:
            raise SealBroken("record") from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether the newest secret key sealed this."""
        return sealed.startswith(self._newest.prefix)

    def seal_transaction(self, data: bytes, *, name: str) -> str:
        """Return the data sealed as a cookie value (base64url) that opens under this cookie's name only."""
        newest = self._newest
        label = name.encode()
        sealed = self._encrypt(newest, _subkey(newest.transaction, label), data, label)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open_transaction(self, value: str, *, name: str) -> bytes:
        """Return what was sealed in the cookie of this name; raises `SealBroken`."""
        label = name.encode()
        try:
            sealed = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise SealBroken("format") from None
        sealing_key = self._key_of(sealed)
        return _decrypt(sealed, _subkey(sealing_key.transaction, label), sealing_key.associated_data + label)

    def seal_shared(self, data: bytes, *, name: str) -> bytes:
        """Return the data sealed for all instances, to be kept under this name only."""
        label = name.encode()
        return self._encrypt(self._newest, _subkey(self._newest.shared, label), data, label)

    def open_shared(self, sealed: bytes, *, name: str) -> bytes:
        """Return what an instance sealed under this name; raises `SealBroken`."""
        label = name.encode()
        sealing_key = self._key_of(sealed)
        return _decrypt(sealed, _subkey(sealing_key.shared, label), sealing_key.associated_data + label)

    def _key_of(self, sealed: bytes) -> _SealingKey:
        if len(sealed) < _MINIMUM_LENGTH:
            raise SealBroken("format")
        key = self._keys.get(sealed[:_NONCE_START])
        if key is None:
            raise SealBroken("key_unknown" if sealed.startswith(FORMAT) else "format")
        return key

    def _encrypt(self, key: _SealingKey, subkey: bytes, data: bytes, label: bytes) -> bytes:
        nonce = self._random_bytes(NONCE_LENGTH)
        ciphertext = AESGCM(subkey).encrypt(nonce, data, key.associated_data + label)
        return key.prefix + nonce + ciphertext


def _decrypt(sealed: bytes, subkey: bytes, associated_data: bytes) -> bytes:
    nonce = sealed[_NONCE_START:_CIPHERTEXT_START]
    try:
        return AESGCM(subkey).decrypt(nonce, sealed[_CIPHERTEXT_START:], associated_data)
    except InvalidTag:
        raise SealBroken("tag") from None


def _derive(secret_key: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=purpose).derive(secret_key)


def _subkey(state: HMAC, label: bytes) -> bytes:
    keyed = state.copy()
    keyed.update(label)
    return keyed.finalize()
