"""The opening handshake of a WebSocket."""

from __future__ import annotations

import pytest

from bff.errors import BadRequest, CrossOriginRejected, UpstreamUnavailable
from bff.http.request_head import RequestHead
from bff.http.upstream_head import upstream_head
from bff.http.websocket import check_handshake, is_handshake, switching_head

ORIGIN = b"https://app.example"
# The example of RFC 6455 section 1.3.
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
FIELDS = {
    b"Origin": ORIGIN,
    b"Connection": b"Upgrade",
    b"Upgrade": b"websocket",
    b"Sec-WebSocket-Version": b"13",
    b"Sec-WebSocket-Key": KEY,
}


def head_with(changes: dict[bytes, bytes | None] | None = None, *extra: tuple[bytes, bytes]) -> RequestHead:
    fields = FIELDS | (changes or {})
    return RequestHead([(name, value) for name, value in fields.items() if value is not None] + list(extra))


def check(head: RequestHead, *, method: bytes = b"GET", is_http_11: bool = True) -> None:
    check_handshake(method, head, is_http_11=is_http_11, public_origin=ORIGIN)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {b"Connection": b"keep-alive, Upgrade"},
        {b"Connection": b"UPGRADE"},
        {b"Upgrade": b"WebSocket"},
    ],
)
def test_a_handshake_of_our_own_page_is_one(changes: dict[bytes, bytes | None]) -> None:
    head = head_with(changes)
    assert is_handshake(head)
    check(head)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        b"null",
        b"",
        b"https://evil.example",
        b"https://app.example.evil.example",
        b"http://app.example",
        b"https://app.example:8443",
        b"https://app.example/",
        b"HTTPS://APP.EXAMPLE",
    ],
)
def test_no_other_page_gets_one(origin: bytes | None) -> None:
    head = head_with({b"Origin": origin}, (b"Sec-Fetch-Site", b"same-origin"), (b"X-CSRF", b"1"))
    with pytest.raises(CrossOriginRejected):
        check(head)


def test_two_origins_are_none() -> None:
    with pytest.raises(CrossOriginRejected):
        check(head_with({}, (b"origin", ORIGIN)))


@pytest.mark.parametrize(
    "changes",
    [
        {b"Connection": None},
        {b"Connection": b"close"},
        {b"Connection": b"upgraded"},
        {b"Upgrade": b"websocket, h2c"},
        {b"Upgrade": b"websockets"},
        {b"Upgrade": None},
        {b"Sec-WebSocket-Version": None},
        {b"Sec-WebSocket-Version": b"8"},
        {b"Sec-WebSocket-Version": b"13, 8"},
        {b"Sec-WebSocket-Version": b"1337"},
        {b"Sec-WebSocket-Key": None},
        {b"Sec-WebSocket-Key": b""},
        {b"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ"},
        {b"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25j"},
        {b"Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZSE="},
        {b"Sec-WebSocket-Key": b"not base64 at all!!!!!=="},
    ],
)
def test_half_a_handshake_is_none(changes: dict[bytes, bytes | None]) -> None:
    with pytest.raises(BadRequest, match=r"websocket\.handshake"):
        check(head_with(changes))


def test_a_repeated_key_or_version_or_upgrade_is_none() -> None:
    for name in (b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Upgrade"):
        with pytest.raises(BadRequest):
            check(head_with({}, (name, FIELDS[name])))


def test_it_takes_a_get_of_http_1_1() -> None:
    with pytest.raises(BadRequest):
        check(head_with(), method=b"POST")
    with pytest.raises(BadRequest):
        check(head_with(), is_http_11=False)


@pytest.mark.parametrize("upgrade", [None, b"h2c", b"", b"TLS/1.0"])
def test_another_upgrade_is_no_handshake(upgrade: bytes | None) -> None:
    assert not is_handshake(head_with({b"Upgrade": upgrade}))


def answered(*fields: tuple[bytes, bytes]) -> bytes:
    return switching_head(head_with(), list(fields), request_id="id-1")


AGREED = ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"), (b"Sec-WebSocket-Accept", ACCEPT))


def test_an_upstream_that_agreed_is_passed_on_in_our_own_words() -> None:
    head = answered(
        *AGREED,
        (b"Sec-WebSocket-Protocol", b"chat"),
        (b"Set-Cookie", b"bff=evil"),
        (b"X-Other", b"y"),
        (b"Date", b"now"),
    )
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    assert b"\r\nSec-WebSocket-Accept: " + ACCEPT + b"\r\n" in head
    assert b"\r\nSec-WebSocket-Protocol: chat\r\n" in head
    assert b"\r\nX-Request-Id: id-1\r\n" in head
    assert not any(name in head for name in (b"Set-Cookie", b"X-Other", b"evil"))
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize(
    "fields",
    [
        (),
        AGREED[:2],
        (AGREED[0], AGREED[1], (b"Sec-WebSocket-Accept", b"c3BvQ0NPTlNUUlVDVEVE")),
        (AGREED[0], AGREED[1], (b"Sec-WebSocket-Accept", KEY)),
        ((b"Upgrade", b"h2c"), *AGREED[1:]),
        AGREED[1:],
    ],
)
def test_an_upstream_that_did_not_prove_that_it_agreed_opens_nothing(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    with pytest.raises(UpstreamUnavailable, match=r"upstream\.websocket_handshake"):
        answered(*fields)


@pytest.mark.parametrize("upgrades", [False, True])
def test_an_upstream_hears_of_an_upgrade_where_one_may_be_alone(upgrades: bool) -> None:
    sent = upstream_head(
        b"GET",
        b"/x",
        head_with(),
        host_line=b"Host: upstream.example\r\n",
        forwarded=b"",
        request_id="id-1",
        access_token="token",
        upgrades=upgrades,
    )
    assert sent.lower().count(b"upgrade: websocket\r\n") == upgrades
    assert sent.lower().count(b"connection: upgrade\r\n") == upgrades
    assert sent.count(b"Authorization: Bearer token\r\n") == 1
