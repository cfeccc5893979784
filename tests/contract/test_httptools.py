"""What the proxy relies on in the parser of both its sides."""

from __future__ import annotations

import httptools
import pytest


class Listener:
    """Writes down what the parser says."""

    def __init__(self) -> None:
        self.begun = 0
        self.heads = 0
        self.complete = 0
        self.pieces: list[bytes] = []
        self.fields: list[tuple[bytes, bytes]] = []

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.heads += 1

    def on_body(self, body: bytes) -> None:
        self.pieces.append(body)

    def on_message_complete(self) -> None:
        self.complete += 1


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n"
LENGTH = b"Content-Length: 8\r\n\r\nhelloabc"


@pytest.mark.parametrize("body", [CHUNKED, LENGTH], ids=["chunked", "length"])
@pytest.mark.parametrize("is_request", [False, True], ids=["answer", "request"])
def test_a_piece_of_a_body_is_never_empty(body: bytes, is_request: bool) -> None:
    # An empty piece written as a chunk would be the last chunk.
    message = (b"POST / HTTP/1.1\r\n" if is_request else b"HTTP/1.1 200 OK\r\n") + body
    for first in range(len(message)):
        for second in range(first, len(message)):
            listener = Listener()
            parser = (httptools.HttpRequestParser if is_request else httptools.HttpResponseParser)(listener)
            for piece in filter(None, (message[:first], message[first:second], message[second:])):
                parser.feed_data(piece)
            assert b"" not in listener.pieces
            assert b"".join(listener.pieces) == b"helloabc"
            assert listener.complete == 1


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_an_interim_answer_is_a_message_of_its_own(status: int) -> None:
    listener = Listener()
    httptools.HttpResponseParser(listener).feed_data(
        b"HTTP/1.1 %d X\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" % status
    )
    assert (listener.begun, listener.heads, listener.complete, listener.pieces) == (2, 2, 2, [b"ok"])


@pytest.mark.parametrize("is_request", [False, True], ids=["answer", "request"])
def test_what_follows_an_upgrade_is_where_the_parser_says(is_request: bool) -> None:
    start = b"GET / HTTP/1.1\r\n" if is_request else b"HTTP/1.1 101 Switching Protocols\r\n"
    head = start + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    parser = (httptools.HttpRequestParser if is_request else httptools.HttpResponseParser)(Listener())
    with pytest.raises(httptools.HttpParserUpgrade) as upgrade:
        parser.feed_data(head + b"frames")
    assert upgrade.value.args == (len(head),)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: +5\r\n",
        b"X: a\r\n b\r\n",
        b"X : a\r\n",
        b"X: a\rb\r\n",
        b"X: a\x00b\r\n",
        b"X: a\nContent-Length: 5\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_an_error(head: bytes) -> None:
    for start, parser in (
        (b"POST / HTTP/1.1\r\n", httptools.HttpRequestParser(Listener())),
        (b"HTTP/1.1 200 OK\r\n", httptools.HttpResponseParser(Listener())),
    ):
        with pytest.raises(httptools.HttpParserError):
            parser.feed_data(start + head + b"\r\nhello")


def test_the_parser_leaves_to_us_what_it_does_not_refuse() -> None:
    listener = Listener()
    parser = httptools.HttpRequestParser(listener)
    parser.feed_data(
        b"GET http://evil/x#y HTTP/2.0\r\nHost: a\r\nHost: b\r\nTransfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n"
    )
    assert (listener.complete, parser.get_http_version()) == (1, "2.0")
    listener = Listener()
    httptools.HttpResponseParser(listener).feed_data(b"HTTP/1.1 150 X\r\nContent-Length: 4\r\n\r\nevil")
    assert listener.pieces == [b"evil"]
