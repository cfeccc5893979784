"""Secrets and what is sealed, signed or trusted with them; no fault raised here quotes a value."""

from __future__ import annotations

import json
import re
import ssl
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

from bff.settings.fault import Unacceptable
from bff.settings.secret import Secret

MIN_KEY_BYTES: Final = 32
EXPIRES_SOON: Final = 14 * 86400.0
"""Seconds before its end from which a certificate is spoken of."""

_KEY_TYPES: Final = ("RSA", "EC", "OKP")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def client_secret(text: str) -> Secret:
    """Return the client secret; raises `Unacceptable` if it holds control characters."""
    if _CONTROL.search(text):
        raise Unacceptable(
            "must not contain line breaks or other control characters", "Copy it again from the provider"
        )
    return Secret(text)


def secret_keys(text: str) -> tuple[Secret, ...]:
    """Return the keys, newest first, each at least 32 bytes long; raises `Unacceptable`."""
    keys = text.replace(",", " ").split()
    if not keys:
        raise Unacceptable("must hold at least one key", "Make one with: bff keygen")
    for position, key in enumerate(keys, 1):
        if len(key.encode()) < MIN_KEY_BYTES:
            raise Unacceptable(
                f"must be keys of at least {MIN_KEY_BYTES} bytes, and number {position} of {len(keys)} is shorter",
                "Make one with: bff keygen",
            )
    if len(set(keys)) != len(keys):
        raise Unacceptable("must not contain a key twice", "Remove the repeated key")
    return tuple(Secret(key) for key in keys)


def private_key(text: str) -> Secret:
    """Return a private key as PEM, JWK or JWK Set (RFC 7517), its form checked; raises `Unacceptable`."""
    text = text.strip()
    if text.startswith("{"):
        _check_jwk(text)
        return Secret(text)
    if "\n" not in text:
        # Variables in files of containers cannot hold line breaks; `\n` is the customary stand-in.
        text = text.replace("\\n", "\n")
    match = re.match(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----\n", text.replace("\r", ""))
    if match is None or "-----END " not in text:
        raise Unacceptable(
            "must be a private key: PEM, a JWK or a JWK Set with the newest key first",
            "Give the key itself, or its path in BFF_CLIENT_KEY_FILE",
        )
    if match[1].startswith("ENCRYPTED") or "Proc-Type: 4,ENCRYPTED" in text:
        raise Unacceptable("must not be encrypted with a passphrase", "Decrypt it with: openssl pkey")
    return Secret(text)


def client_certificate(text: str) -> str | Path:
    """Return certificates in PEM as they are given, or the path of a file of them; raises `Unacceptable`."""
    if "-----BEGIN " not in text:
        return Path(text.strip())
    return certificate_chain(text if "\n" in text else text.replace("\\n", "\n"))


def certificate_chain(text: str) -> str:
    """Return a certificate and what leads to its authority, in PEM; raises `Unacceptable`."""
    try:
        found = load_pem_x509_certificates(text.encode())
    except ValueError:
        raise Unacceptable(
            "must be certificates in PEM, the client's own first",
            "Check that it begins with -----BEGIN CERTIFICATE-----",
        ) from None
    return "".join(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in found)


def certificate_key(text: str) -> Secret:
    """Return the private key of a certificate, unencrypted PEM; raises `Unacceptable`."""
    key = private_key(text)
    try:
        load_pem_private_key(key.reveal().encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unacceptable(
            "must be a private key in PEM, without a passphrase",
            "Give the key itself, or its path in the _FILE variable",
        ) from None
    return key


def is_key_of(key: Secret, chain: str) -> bool:
    """Whether it is the key of the first certificate."""
    private = load_pem_private_key(key.reveal().encode(), None)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    certificate = load_pem_x509_certificates(chain.encode())[0]
    return private.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)


def certificate_begins_at(chain: str) -> float:
    """Return since when the first certificate, the client's own, is valid, in seconds since the epoch."""
    return load_pem_x509_certificates(chain.encode())[0].not_valid_before_utc.timestamp()


def certificate_ends_at(chain: str) -> float:
    """Return when the first certificate that expires does so, in seconds since the epoch."""
    return min(each.not_valid_after_utc.timestamp() for each in load_pem_x509_certificates(chain.encode()))


def _check_jwk(text: str) -> None:
    form = Unacceptable(
        "must be a JWK, or a JWK Set with the newest key first", "Write a JSON object with kty, or with keys"
    )
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise Unacceptable("begins like a JWK but is not JSON", "Check quotes and braces") from None
    keys = document.get("keys", [document])
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        raise form
    for key in keys:
        if key.get("use", "sig") != "sig":
            continue
        if key.get("kty") not in _KEY_TYPES:
            raise Unacceptable("must hold asymmetric keys alone", f"Use keys whose kty is {', '.join(_KEY_TYPES)}")
        if not isinstance(key.get("d"), str):
            raise Unacceptable(
                "must hold private keys, and one has no member d", "Give the private key, not the public"
            )


def check_certificates(text: str) -> None:
    """Raise `Unacceptable` unless the text holds certificates in PEM."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise Unacceptable(
            "must be a file of CA certificates in PEM", "Check that it begins with -----BEGIN CERTIFICATE-----"
        ) from None
