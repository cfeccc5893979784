"""HTTP to the provider: bounded, stateless, every failure one of our own."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bff.errors import InvalidProviderAnswer, ProviderUnavailable
from bff.oauth.par import PushedRequest
from bff.provider.tls import trusted_authorities
from bff.provider.transport import MAX_ANSWER, PROVIDER_TIMEOUT, Answer, ProviderTransport, open_pool
from tests.support.virtual_time import virtual_time

URL = "https://provider.example/token"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return virtual_time()


def no_authentication(form: dict[str, str], headers: dict[str, str]) -> None:
    """A public client."""


def transport(handler: Callable[[httpx2.Request], Any]) -> ProviderTransport:
    return ProviderTransport(httpx2.MockTransport(handler))


async def test_an_answer_comes_with_status_body_and_the_header_fields_that_matter() -> None:
    response = httpx2.Response(429, content=b"{}", headers={"Content-Type": "application/json", "Retry-After": "7"})
    answer = await transport(lambda request: response).get(URL, accept="application/json")
    assert (answer.status, answer.body, answer.content_type, answer.retry_after) == (
        429,
        b"{}",
        "application/json",
        "7",
    )


async def test_a_request_names_no_library_and_asks_for_no_encoding() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200)

    await transport(handler).get(URL, accept="application/json", credentials={"Authorization": "Bearer token-1"})
    assert dict(seen[0].headers) == {
        "host": "provider.example",
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": "Bearer token-1",
        "user-agent": "bff",
    }


async def test_a_form_is_posted_with_what_the_authentication_adds_and_the_callers_form_is_left_alone() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200)

    def authenticate(form: dict[str, str], headers: dict[str, str]) -> None:
        form["client_id"] = "me & you"
        headers["Authorization"] = "Basic eDp5"

    form = {"grant_type": "refresh_token"}
    await transport(handler).post(URL, form, authenticate=authenticate)
    assert seen[0].content == b"grant_type=refresh_token&client_id=me+%26+you"
    assert seen[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert seen[0].headers["authorization"] == "Basic eDp5"
    assert form == {"grant_type": "refresh_token"}


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    calls: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        calls.append(str(request.url))
        return httpx2.Response(307, headers={"Location": "https://evil.example/"})

    answer = await transport(handler).post(URL, {}, authenticate=no_authentication)
    assert answer.status == 307
    assert calls == [URL]


async def test_a_cookie_that_the_provider_sets_is_not_sent_back() -> None:
    cookies: list[str | None] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        cookies.append(request.headers.get("cookie"))
        return httpx2.Response(200, headers={"Set-Cookie": "user=a; Path=/"})

    provider = transport(handler)
    await provider.get(URL, accept="*/*")
    await provider.get(URL, accept="*/*")
    assert cookies == [None, None]


class Endless(httpx2.AsyncByteStream):
    """A body that goes on for ever, with a pause before each part."""

    def __init__(self, pause: float) -> None:
        self.pause = pause
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(self.pause)
            yield b"x" * 65536

    async def aclose(self) -> None:
        self.closed = True


async def test_an_answer_that_is_too_large_is_cut_off_while_it_comes() -> None:
    body = Endless(pause=0)
    with pytest.raises(InvalidProviderAnswer) as caught:
        await transport(lambda request: httpx2.Response(200, stream=body)).get(URL, accept="*/*")
    assert caught.value.reason == "provider.too_large"
    assert body.closed


async def test_what_counts_is_the_size_after_decompression() -> None:
    bomb = gzip.compress(b"x" * (MAX_ANSWER * 50))
    response = httpx2.Response(200, stream=httpx2.ByteStream(bomb), headers={"Content-Encoding": "gzip"})
    with pytest.raises(InvalidProviderAnswer) as caught:
        await transport(lambda request: response).get(URL, accept="*/*")
    assert caught.value.reason == "provider.too_large"


async def test_an_answer_that_drips_is_given_up_after_the_timeout_of_the_whole_call() -> None:
    body = Endless(pause=PROVIDER_TIMEOUT / 4)
    started_at = asyncio.get_running_loop().time()
    with pytest.raises(ProviderUnavailable) as caught:
        await transport(lambda request: httpx2.Response(200, stream=body)).get(URL, accept="*/*")
    assert caught.value.reason == "provider.timeout"
    assert body.closed
    assert asyncio.get_running_loop().time() - started_at == pytest.approx(PROVIDER_TIMEOUT)


def certificate_error() -> httpx2.ConnectError:
    error = httpx2.ConnectError("certificate verify failed: token-1")
    error.__cause__ = ssl.SSLCertVerificationError("certificate verify failed")
    return error


FAILURES: list[tuple[Exception, str, type[Exception]]] = [
    (httpx2.ConnectTimeout("secret"), "provider.connect_timeout", ProviderUnavailable),
    (httpx2.ReadTimeout("secret"), "provider.timeout", ProviderUnavailable),
    (httpx2.WriteTimeout("secret"), "provider.timeout", ProviderUnavailable),
    (httpx2.PoolTimeout("secret"), "provider.busy", ProviderUnavailable),
    (httpx2.ConnectError("secret"), "provider.connect", ProviderUnavailable),
    (certificate_error(), "provider.certificate", ProviderUnavailable),
    (httpx2.ReadError("secret"), "provider.network", ProviderUnavailable),
    (httpx2.WriteError("secret"), "provider.network", ProviderUnavailable),
    (httpx2.CloseError("secret"), "provider.network", ProviderUnavailable),
    (httpx2.RemoteProtocolError("secret"), "provider.protocol", ProviderUnavailable),
    (httpx2.LocalProtocolError("secret"), "provider.protocol", ProviderUnavailable),
    (httpx2.ProxyError("secret"), "provider.network", ProviderUnavailable),
    (httpx2.DecodingError("secret"), "provider.content_encoding", InvalidProviderAnswer),
    (httpx2.UnsupportedProtocol("secret"), "provider.url", InvalidProviderAnswer),
    (httpx2.InvalidURL("secret"), "provider.url", InvalidProviderAnswer),
    (httpx2.StreamClosed(), "provider.network", ProviderUnavailable),
    (TimeoutError(), "provider.timeout", ProviderUnavailable),
    (ConnectionResetError("secret"), "provider.network", ProviderUnavailable),
]


@pytest.mark.parametrize(("error", "reason", "kind"), FAILURES, ids=lambda value: type(value).__name__)
async def test_every_failure_of_the_library_becomes_one_of_ours_that_holds_nothing_of_it(
    error: Exception, reason: str, kind: type[Exception]
) -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        raise error

    with pytest.raises(kind) as caught:
        await transport(handler).post(URL, {"refresh_token": "secret"}, authenticate=no_authentication)
    assert getattr(caught.value, "reason") == reason  # noqa: B009
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize("url", ["https://[::1/x", "https://provider.example/\x00", "https://provider.example:x/"])
async def test_an_address_that_cannot_be_one_is_an_invalid_answer(url: str) -> None:
    with pytest.raises(InvalidProviderAnswer) as caught:
        await transport(lambda request: httpx2.Response(200)).get(url, accept="*/*")
    assert caught.value.reason == "provider.url"


async def test_a_caller_that_leaves_is_not_told_anything_else() -> None:
    body = Endless(pause=1)
    call = asyncio.create_task(transport(lambda request: httpx2.Response(200, stream=body)).get(URL, accept="*/*"))
    await asyncio.sleep(0.5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert body.closed


async def test_the_pool_verifies_certificates_and_host_names() -> None:
    context = trusted_authorities(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    provider = ProviderTransport(open_pool(trusted_authorities(None)))
    await provider.close()


def test_a_file_of_authorities_is_added_to_those_of_the_system(tmp_path: Path) -> None:
    from tests.support.certificates import authority_certificate

    path = tmp_path / "ca.pem"
    path.write_bytes(authority_certificate())
    assert len(trusted_authorities(path).get_ca_certs()) == len(trusted_authorities(None).get_ca_certs()) + 1


def test_a_file_without_certificates_is_an_error_at_start(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nothing")
    with pytest.raises(OSError, match=r"PEM|NO_CERTIFICATE"):
        trusted_authorities(path)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate"])
async def test_an_answer_packed_unasked_is_unpacked(coding: str) -> None:
    packed = gzip.compress(b"{}") if coding.lower() == "gzip" else zlib.compress(b"{}")
    response = httpx2.Response(200, stream=httpx2.ByteStream(packed), headers={"Content-Encoding": coding})
    assert (await transport(lambda request: response).get(URL, accept="*/*")).body == b"{}"


@pytest.mark.parametrize(("coding", "body"), [("br", b"{}"), ("gzip, gzip", b"{}"), ("gzip", b"no gzip at all")])
async def test_an_answer_packed_in_another_way_is_refused(coding: str, body: bytes) -> None:
    response = httpx2.Response(200, stream=httpx2.ByteStream(body), headers={"Content-Encoding": coding})
    with pytest.raises(InvalidProviderAnswer) as caught:
        await transport(lambda request: response).get(URL, accept="*/*")
    assert caught.value.reason == "provider.content_encoding"


def test_the_text_that_stands_for_an_answer_tells_nothing_of_it() -> None:
    held = [Answer(200, b"access-1", None, None, "nonce-1"), PushedRequest("urn:pushed:1", 60.0)]
    for secret in ("access-1", "nonce-1", "urn:pushed:1"):
        assert secret not in repr(held)
