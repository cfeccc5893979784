"""What client and provider prove themselves with in the plans that use keys: made anew for every run."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from joserfc.jwk import ECKey, RSAKey

if TYPE_CHECKING:
    from pathlib import Path

CLIENT_NAME = "bff certification"


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """The client's key and certificate, and the provider's key; `directory` holds the client's files."""

    directory: Path
    client_jwks: dict[str, Any]
    server_jwks: dict[str, Any]
    certificate: str

    @property
    def key_file(self) -> Path:
        return self.directory / "client-key.jwk"

    @property
    def certificate_file(self) -> Path:
        return self.directory / "client.pem"

    @property
    def certificate_key_file(self) -> Path:
        return self.directory / "client.key"


def make_credentials(directory: Path) -> Credentials:
    """Make all keys, and write the client's files."""
    directory.mkdir(exist_ok=True)
    client_key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": "client-1"})
    server_key = RSAKey.generate_key(2048, {"use": "sig", "alg": "PS256", "kid": "server-1"})
    certificate, certificate_key = _certificate()
    credentials = Credentials(
        directory,
        client_jwks={"keys": [client_key.as_dict(private=False)]},
        server_jwks={"keys": [server_key.as_dict(private=True)]},
        certificate=certificate,
    )
    credentials.key_file.write_text(json.dumps(client_key.as_dict(private=True)))
    credentials.certificate_file.write_text(certificate)
    credentials.certificate_key_file.write_text(certificate_key)
    return credentials


def _certificate() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, CLIENT_NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
