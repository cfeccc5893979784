"""The header section an upstream gets."""

from __future__ import annotations

import pytest

from bff.http.request_head import RequestHead
from bff.http.upstream_head import upstream_head


def made(fields: list[tuple[bytes, bytes]], *, token: str | None = None) -> bytes:
    return upstream_head(
        b"POST",
        b"/v1/x?y",
        RequestHead(fields),
        host_line=b"Host: upstream.example\r\n",
        forwarded=b"X-Forwarded-For: 192.0.2.1\r\n",
        request_id="id-1",
        access_token=token,
    )


START = b"POST /v1/x?y HTTP/1.1\r\nHost: upstream.example\r\n"
OURS = b"X-Forwarded-For: 192.0.2.1\r\nX-Request-Id: id-1\r\n"


def test_ours_come_after_what_passes_of_theirs() -> None:
    assert made([(b"Host", b"app.example"), (b"Accept", b"*/*"), (b"X-Request-Id", b"evil")]) == (
        START + b"Accept: */*\r\n" + OURS + b"\r\n"
    )


def test_the_token_is_there_once_whatever_the_browser_sent() -> None:
    sent = made([(b"Authorization", b"Bearer evil"), (b"Connection", b"authorization, x-request-id")], token="good")
    assert sent == START + OURS + b"Authorization: Bearer good\r\n\r\n"


@pytest.mark.parametrize(
    "field, line",
    [
        ((b"Content-Length", b"005"), b"Content-Length: 5\r\n"),
        ((b"content-length", b"0"), b"Content-Length: 0\r\n"),
        ((b"Transfer-Encoding", b"Chunked"), b"Transfer-Encoding: chunked\r\n"),
    ],
)
def test_the_framing_is_written_anew(field: tuple[bytes, bytes], line: bytes) -> None:
    assert made([field]) == START + OURS + line + b"\r\n"
