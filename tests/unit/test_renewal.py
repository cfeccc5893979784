"""The client's credentials while the gateway runs: files that change are taken into use, or the old ones stay."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from bff.app import create_app
from bff.gateway import Gateway
from bff.oauth.signing_key import UnusableKey
from bff.provider.client_authentication import ClientCredentials
from bff.renewal import REMINDER, CredentialRenewal
from bff.settings import Secret, Settings
from bff.settings.renewal import renewed
from tests.support.certificates import client_certificate
from tests.support.provider_double import ProviderDouble
from tests.support.provider_settings import provider_settings

HOUR = 3600.0


@pytest.fixture
def anyio_backend() -> str:
    """Files are read in threads, which virtual time knows nothing of."""
    return "asyncio"


class Files:
    """Credentials in files, and the gateway's settings that name them."""

    def __init__(self, directory: Path) -> None:
        self.certificate = directory / "tls.crt"
        self.key = directory / "tls.key"
        self.secret = directory / "secret"
        self.write_pair()
        self.write(self.secret, "first-secret")
        self.settings = provider_settings(
            client_cert=str(self.certificate),
            client_cert_key_file=str(self.key),
            client_secret_file=str(self.secret),
            client_secret="",
        )

    def write_pair(self) -> tuple[str, str]:
        """Write a new certificate and its key."""
        certificate, key = client_certificate()
        self.write(self.certificate, certificate)
        self.write(self.key, key)
        return certificate, key

    def write(self, path: Path, text: str) -> None:
        """Replace a file, as those do that write secrets into containers."""
        beside = path.with_suffix(".new")
        beside.write_text(text)
        beside.rename(path)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


class Watched(CredentialRenewal):
    """A renewal that notes what was taken into use, or fails to."""

    def __init__(self, settings: Settings, failure: Exception | None = None, now: float = 0.0) -> None:
        self.used: list[Settings] = []
        self.now = now
        self.failure = failure
        super().__init__(settings, clock=lambda: self.now, use=self._note, interval=0.01)

    async def _note(self, settings: Settings) -> None:
        if self.failure is not None:
            raise self.failure
        self.used.append(settings)


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return level and name of what was logged since the last call."""
    found = [(record.levelname, record.message) for record in caplog.records if "memory_only" not in record.message]
    caplog.clear()
    return found


@pytest.fixture(autouse=True)
def _everything_is_heard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level("DEBUG", logger="bff"):
        yield


async def test_files_that_stay_as_they_are_are_read_once_and_change_nothing(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    renewal = Watched(files.settings)
    for _ in range(3):
        await renewal.look()
    assert renewal.used == []
    assert [line for line in said(caplog) if "credentials" in line[1]] == []


async def test_a_certificate_renewed_with_its_key_is_taken_into_use(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    renewal = Watched(files.settings)
    await renewal.look()
    certificate, key = files.write_pair()
    await renewal.look()
    (used,) = renewal.used
    assert (used.client_cert, used.client_cert_key) == (certificate, Secret(key.strip()))
    assert ("INFO", "credentials.renewed") in said(caplog)
    await renewal.look()
    assert len(renewal.used) == 1


async def test_what_changed_before_the_first_look_is_taken_into_use(files: Files) -> None:
    """A worker that takes the place of another is given what was read hours ago."""
    files.write_pair()
    renewal = Watched(files.settings)
    await renewal.look()
    assert len(renewal.used) == 1


async def test_a_certificate_whose_key_is_yet_to_be_written_waits_for_it(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    renewal = Watched(files.settings)
    await renewal.look()
    certificate, key = client_certificate()
    files.write(files.certificate, certificate)
    said(caplog)
    await renewal.look()
    assert renewal.used == []
    errors = [record for record in caplog.records if record.message == "credentials.unusable"]
    assert [vars(record)["event_fields"]["variable"] for record in errors] == ["BFF_CLIENT_CERT_KEY"]
    files.write(files.key, key)
    await renewal.look()
    assert [used.client_cert for used in renewal.used] == [certificate]


@pytest.mark.parametrize("text", ["", " \n", "no certificate", "\udce9"])
async def test_what_cannot_be_used_leaves_what_is_in_use_and_is_said_once_without_quoting_it(
    files: Files, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    renewal = Watched(files.settings)
    await renewal.look()
    said(caplog)
    files.certificate.write_bytes(text.encode("utf-8", "surrogateescape"))
    await renewal.look()
    await renewal.look()
    assert renewal.used == []
    assert [line for line in said(caplog) if "credentials" in line[1]] == [("ERROR", "credentials.unusable")]
    assert "no certificate" not in caplog.text
    files.write_pair()
    await renewal.look()
    assert len(renewal.used) == 1


async def test_a_file_that_is_gone_leaves_what_is_in_use(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    renewal = Watched(files.settings)
    await renewal.look()
    said(caplog)
    files.secret.unlink()
    await renewal.look()
    assert renewal.used == []
    assert ("ERROR", "credentials.unusable") in said(caplog)
    files.write(files.secret, "second-secret")
    await renewal.look()
    assert [used.client_secret for used in renewal.used] == [Secret("second-secret")]


@pytest.mark.parametrize("failure", [OSError("canary"), ValueError("canary"), RuntimeError("canary")])
async def test_what_its_users_cannot_take_is_an_error_that_quotes_nothing(
    files: Files, caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    renewal = Watched(files.settings, failure)
    await renewal.look()
    said(caplog)
    files.write_pair()
    await renewal.look()
    assert "canary" not in str([vars(record) for record in caplog.records])
    assert ("ERROR", "credentials.unusable") in said(caplog)
    renewal.failure = None
    await renewal.look()
    assert renewal.used == [], "not again before the files have changed again"


async def test_a_certificate_that_ends_soon_is_warned_of_once_a_day(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    renewal = Watched(files.settings)
    ends_at = renewal.certificate_ends_at
    assert ends_at is not None
    renewal.now = ends_at - 20 * REMINDER
    await renewal.look()
    assert said(caplog) == []
    renewal.now = ends_at - 10 * REMINDER
    await renewal.look()
    await renewal.look()
    fields = [vars(record)["event_fields"] for record in caplog.records]
    assert fields == [{"variable": "BFF_CLIENT_CERT", "seconds": 10 * REMINDER}]
    assert said(caplog) == [("WARNING", "client_certificate.expires_soon")]
    renewal.now += REMINDER
    await renewal.look()
    assert said(caplog) == [("WARNING", "client_certificate.expires_soon")]
    renewal.now = ends_at
    for _ in range(2):
        await renewal.look()
        renewal.now += HOUR
    assert said(caplog) == [("ERROR", "client_certificate.expired")]


async def test_it_looks_again_and_again(files: Files) -> None:
    renewal = Watched(files.settings)
    running = asyncio.create_task(renewal.run())
    for _ in range(3):
        certificate, _ = files.write_pair()
        await until(lambda: bool(renewal.used))
        assert renewal.used.pop().client_cert == certificate
    running.cancel()


# --- in the gateway ---


async def until(fact: Callable[[], bool]) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(60):
        while not fact():  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.01)


def gateway_of(settings: Settings) -> Gateway:
    double = ProviderDouble(clock=time.time)
    return create_app(settings, clock=time.time, random_bytes=secrets.token_bytes, provider_transport=double.transport)


async def test_the_gateway_proves_itself_with_what_it_finds_and_tells_prometheus_when_its_certificate_ends(
    files: Files,
) -> None:
    gateway = gateway_of(files.settings)
    assert gateway.provider.credentials.authentication.secret == "first-secret"
    files.write(files.secret, "second-secret")
    gateway.start()
    await until(lambda: gateway.provider.credentials.authentication.secret == "second-secret")
    (expiry,) = [
        sample.value
        for family in gateway.metrics.collect()
        for sample in family.samples
        if sample.name == "bff_client_certificate_expires_timestamp_seconds"
    ]
    assert expiry > time.time()
    await gateway.close()


def test_a_private_key_is_renewed_for_assertions_and_request_objects_alike(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text(jwk(ECKey.generate_key("P-256"), "old"))
    settings = provider_settings(
        client_auth="private_key_jwt", client_key_file=str(path), client_secret="", request_object="signed"
    )
    credentials = ClientCredentials(settings)
    path.write_text(jwk(ECKey.generate_key("P-256"), "new"))
    credentials.renew(renewed(settings))
    assert [key.kid for key in (*credentials.signing_keys, *credentials.authentication.keys)] == ["new", "new"]
    # A key in its form, which cannot sign.
    path.write_text(jwk(ECKey.generate_key("secp256k1"), "unfit"))
    with pytest.raises(UnusableKey):
        credentials.renew(renewed(settings))
    assert [key.kid for key in (*credentials.signing_keys, *credentials.authentication.keys)] == ["new", "new"]


def jwk(key: ECKey, kid: str) -> str:
    return json.dumps({**key.as_dict(private=True), "kid": kid})


async def test_a_gateway_whose_credentials_are_in_no_files_and_without_certificate_looks_at_nothing() -> None:
    gateway = gateway_of(provider_settings())
    gateway.start()
    assert gateway._looking == []
    assert gateway.metrics.certificate_ends_at() is None
    await gateway.close()
