"""The client's certificate and its key (RFC 8705)."""

from __future__ import annotations

import pytest

from tests.support.certificates import authority_certificate, client_certificate
from tests.unit.settings.environments import fault, faults, loaded
from tests.unit.settings.test_credentials import private_pem

CERTIFICATE, KEY = client_certificate()
MUTUAL = {"BFF_CLIENT_AUTH": "tls_client_auth", "BFF_CLIENT_SECRET": None}


@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_a_client_may_be_known_by_its_certificate(method: str) -> None:
    settings = loaded(
        BFF_CLIENT_AUTH=method, BFF_CLIENT_SECRET=None, BFF_CLIENT_CERT=CERTIFICATE, BFF_CLIENT_CERT_KEY=KEY
    )
    assert (settings.client_auth, settings.client_cert) == (method, CERTIFICATE)
    assert settings.client_cert_key is not None
    assert settings.client_cert_key.reveal() == KEY.strip()


def test_another_client_may_have_a_certificate_too() -> None:
    assert loaded(BFF_CLIENT_CERT=CERTIFICATE, BFF_CLIENT_CERT_KEY=KEY).client_cert == CERTIFICATE


def test_both_can_be_files() -> None:
    contents = {"/run/cert.pem": CERTIFICATE.encode(), "/run/key.pem": KEY.encode()}
    settings = loaded(contents, **MUTUAL, BFF_CLIENT_CERT="/run/cert.pem", BFF_CLIENT_CERT_KEY_FILE="/run/key.pem")
    assert settings.client_cert == CERTIFICATE


def test_line_breaks_may_be_written_as_in_files_of_variables() -> None:
    one_line = {"BFF_CLIENT_CERT": CERTIFICATE.replace("\n", "\\n"), "BFF_CLIENT_CERT_KEY": KEY.replace("\n", "\\n")}
    assert loaded(**MUTUAL, **one_line).client_cert == CERTIFICATE


def test_the_chain_follows_the_clients_own_certificate() -> None:
    chain = CERTIFICATE + authority_certificate().decode()
    assert loaded(**MUTUAL, BFF_CLIENT_CERT=chain, BFF_CLIENT_CERT_KEY=KEY).client_cert == chain
    assert fault(
        **MUTUAL, BFF_CLIENT_CERT=authority_certificate().decode() + CERTIFICATE, BFF_CLIENT_CERT_KEY=KEY
    ).startswith("BFF_CLIENT_CERT_KEY: is not the key of the first certificate")


def test_what_stands_around_the_certificates_is_dropped() -> None:
    bag = f"subject=CN = gateway\n{CERTIFICATE}"
    assert loaded(**MUTUAL, BFF_CLIENT_CERT=bag, BFF_CLIENT_CERT_KEY=KEY).client_cert == CERTIFICATE


def test_the_method_needs_the_certificate() -> None:
    assert fault(**MUTUAL).startswith("BFF_CLIENT_CERT: is required by BFF_CLIENT_AUTH=tls_client_auth")


def test_neither_is_of_use_without_the_other() -> None:
    assert fault(BFF_CLIENT_CERT=CERTIFICATE).startswith("BFF_CLIENT_CERT_KEY: is required by BFF_CLIENT_CERT")
    assert fault(BFF_CLIENT_CERT_KEY=KEY).startswith("BFF_CLIENT_CERT: is required by BFF_CLIENT_CERT_KEY")


def test_the_key_must_be_the_certificates() -> None:
    assert fault(BFF_CLIENT_CERT=CERTIFICATE, BFF_CLIENT_CERT_KEY=private_pem()).startswith(
        "BFF_CLIENT_CERT_KEY: is not the key of the first certificate"
    )


@pytest.mark.parametrize("text", ["-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----", KEY])
def test_what_is_no_certificate_is_told_without_being_shown(text: str) -> None:
    (line,) = faults(**MUTUAL, BFF_CLIENT_CERT=text, BFF_CLIENT_CERT_KEY=KEY)
    assert line.startswith("BFF_CLIENT_CERT: must be certificates in PEM")
    assert "hunter2" not in line


def test_a_file_that_is_not_there_is_told() -> None:
    line = fault(**MUTUAL, BFF_CLIENT_CERT="/run/cert.pem", BFF_CLIENT_CERT_KEY=KEY)
    assert line.startswith("BFF_CLIENT_CERT: it names a file that cannot be read")


@pytest.mark.parametrize("key", [private_pem(b"pass"), '{"kty":"EC","d":"x"}', CERTIFICATE])
def test_a_key_that_cannot_be_used_is_told(key: str) -> None:
    assert fault(BFF_CLIENT_CERT=CERTIFICATE, BFF_CLIENT_CERT_KEY=key).startswith("BFF_CLIENT_CERT_KEY: must ")
