"""Certificates made for a test."""

from __future__ import annotations

import datetime as dt
import functools
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@functools.cache
def _authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
    builder = _builder(name, key.public_key()).issuer_name(name)
    certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )
    return certificate, key


def _builder(
    name: x509.Name, key: ec.EllipticCurvePublicKey, *, age: dt.timedelta = dt.timedelta(hours=1)
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - age)
        .not_valid_after(now + dt.timedelta(hours=1))
    )


def authority_certificate() -> bytes:
    """Return the certificate of an authority that nobody knows, as PEM."""
    return _authority()[0].public_bytes(serialization.Encoding.PEM)


def server_certificate(name: str = "127.0.0.1") -> tuple[str, str]:
    """Return a certificate of that authority for a name or an address, and its key, both PEM."""
    authority, authority_key = _authority()
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    certificate = (
        _builder(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), key.public_key())
        .issuer_name(authority.subject)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def server_context(directory: Path, *, name: str = "127.0.0.1") -> ssl.SSLContext:
    """Return the TLS context of a server with such a certificate."""
    path = directory / f"{name}.pem"
    path.write_text("".join(server_certificate(name)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def client_certificate(
    name: str = "gateway", *, is_self_signed: bool = False, age: dt.timedelta = dt.timedelta(hours=1)
) -> tuple[str, str]:
    """Return a client's certificate and its key, both PEM; of that authority, or of nobody."""
    authority, authority_key = _authority()
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        _builder(subject, key.public_key(), age=age)
        .issuer_name(subject if is_self_signed else authority.subject)
        .sign(key if is_self_signed else authority_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def demanding_context(directory: Path, *, name: str = "127.0.0.1") -> ssl.SSLContext:
    """Return the TLS context of a server that speaks to nobody without a certificate of that authority."""
    context = server_context(directory, name=name)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority_certificate().decode())
    return context
