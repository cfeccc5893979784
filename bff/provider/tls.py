"""TLS to provider and upstreams: whom the gateway trusts, and the certificate it shows (RFC 8705)."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx2

from bff.settings import Settings

_OPEN_FILES: Final = Path("/proc/self/fd")
# What BCP 195 (RFC 9325 section 4.2) recommends for TLS 1.2; those of TLS 1.3 are not chosen here.
_RECOMMENDED_CIPHERS: Final = "ECDHE+AESGCM"


def trusted_authorities(ca_file: Path | None) -> ssl.SSLContext:
    """Return a TLS context that verifies certificate and host name; raises `OSError` if `ca_file` is unusable."""
    context = httpx2.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def plain_tls(settings: Settings) -> ssl.SSLContext:
    """Return the context for those who are shown no certificate."""
    context = trusted_authorities(settings.ca_file)
    if settings.profile is not None:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_RECOMMENDED_CIPHERS)
    return context


def mutual_tls(settings: Settings) -> ssl.SSLContext:
    """Return the context for those who may ask for the client's certificate, if there is one.

    Raises `OSError` if certificate and key do not belong together; the settings have seen to it that they do.
    """
    context = plain_tls(settings)
    # Some servers ask only once they know which path is wanted.
    context.post_handshake_auth = settings.client_cert is not None
    _show_certificate(context, settings)
    return context


def renew_tls(settings: Settings, *, plain: ssl.SSLContext, mutual: ssl.SSLContext) -> None:
    """Let connections that are opened from now on show the certificate and trust the authorities of these settings.

    Authorities that are not in the file any more are trusted until the process ends. Raises `OSError` for what cannot
    be used; the contexts are then as they were.
    """
    # A context that was given a certificate without its key has neither any more.
    mutual_tls(settings)
    for context in (plain, mutual):
        if settings.ca_file is not None:
            context.load_verify_locations(cafile=settings.ca_file)
    _show_certificate(mutual, settings)


def _show_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    if settings.client_cert is not None and settings.client_cert_key is not None:
        with _readable(f"{settings.client_cert_key.reveal()}\n{settings.client_cert}") as path:
            context.load_cert_chain(path)


@contextmanager
def _readable(text: str) -> Iterator[str]:
    """Make a text a file for as long as OpenSSL reads it, on no disk where the system can do without."""
    if hasattr(os, "memfd_create") and _OPEN_FILES.is_dir():
        descriptor = os.memfd_create("client-certificate")
        path, is_on_disk = str(_OPEN_FILES / str(descriptor)), False
    else:
        descriptor, path = tempfile.mkstemp()
        is_on_disk = True
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            yield path
    finally:
        if is_on_disk:
            Path(path).unlink()
