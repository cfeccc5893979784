"""An upstream's header section as the browser gets it."""

from __future__ import annotations

import pytest

from bff.errors import UpstreamUnavailable
from bff.http import answer_head
from bff.http.answer_head import AnswerHead

Fields = list[tuple[bytes, bytes]]


def head_of(
    fields: Fields,
    *,
    status: int = 200,
    to_head: bool = False,
    is_personal: bool = False,
    cookies: tuple[bytes, ...] = (),
) -> AnswerHead:
    return AnswerHead(status, fields, to_head_request=to_head, is_personal=is_personal, cookie_names=frozenset(cookies))


def passed(fields: Fields, *, is_personal: bool = False, cookies: tuple[bytes, ...] = ()) -> list[bytes]:
    """Return the lines that pass, without the status line."""
    return head_of(fields, is_personal=is_personal, cookies=cookies).lines[1:]


PASSING = """
Accept-Ranges Age Allow Content-Disposition Content-Encoding Content-Language Content-Location Content-Range
Content-Security-Policy Content-Type Date ETag Expires Last-Modified Link Location Pragma Proxy-Status Referrer-Policy
Refresh Retry-After Server Server-Timing Timing-Allow-Origin WWW-Authenticate X-Accel-Buffering X-Custom X_Custom
Access-Control-Allow-Origin Cross-Origin-Resource-Policy Deprecation Sunset Warning X-RateLimit-Limit
""".split()  # noqa: SIM905 -- names, to be read
WITHHELD = """
Connection Keep-Alive Proxy-Connection Proxy-Authenticate Proxy-Authentication-Info TE Trailer Upgrade Alt-Svc
Clear-Site-Data Strict-Transport-Security Public-Key-Pins NEL Report-To Service-Worker-Allowed Set-Cookie Set-Cookie2
X-Accel-Redirect X-Sendfile X-Content-Type-Options X-Request-Id
""".split()  # noqa: SIM905 -- as above


@pytest.mark.parametrize("name", PASSING)
def test_an_ordinary_field_passes_as_it_came(name: str) -> None:
    assert passed([(name.encode(), b"v")]) == [name.encode() + b": v\r\n"]


@pytest.mark.parametrize(
    "name", [*WITHHELD, *(name.lower() for name in WITHHELD), *(name.upper() for name in WITHHELD)]
)
def test_a_field_of_one_hop_or_for_the_whole_origin_ends_here(name: str) -> None:
    assert passed([(b"A", b"b"), (name.encode(), b"v"), (b"C", b"d")]) == [b"A: b\r\n", b"C: d\r\n"]


def test_fields_named_in_connection_end_here() -> None:
    fields = [(b"X-Hop", b"1"), (b"Connection", b"close, x-hop"), (b"X-End", b"2"), (b"connection", b"Keep-Alive")]
    assert passed(fields) == [b"X-End: 2\r\n"]
    assert passed([(b"Connection", b"close"), (b"Close", b"1")]) == [b"Close: 1\r\n"]
    assert passed([(b"Close", b"1"), (b"Connection", b"Keep-Alive, CLOSE")]) == [b"Close: 1\r\n"]
    assert passed([(b"X-Hop", b"1"), (b"Connection", b"keep-alive"), (b"connection", b"X-Hop")]) == []


def test_the_status_line_is_ours() -> None:
    assert head_of([], status=404).lines[0] == b"HTTP/1.1 404 Not Found\r\n"
    assert head_of([], status=299).lines[0] == b"HTTP/1.1 299 \r\n"


@pytest.mark.parametrize("status", [0, 100, 101, 199, 600, 999])
def test_a_status_that_ends_nothing_is_none(status: int) -> None:
    with pytest.raises(UpstreamUnavailable, match=r"upstream\.status"):
        head_of([], status=status)


# Cookies.


def test_a_listed_cookie_passes_and_no_other() -> None:
    fields = [
        (b"Set-Cookie", value) for value in (b"theme=dark; Path=/", b"bff=evil", b" theme =x", b"Theme=x", b"=theme=x")
    ]
    fields += [
        (b"set-cookie", value) for value in (b"theme", b"theme; bff=x", b"\xa0theme=x", b"x=theme", b"", b"theme=")
    ]
    assert passed(fields, cookies=(b"theme",)) == [
        b"Set-Cookie: theme=dark; Path=/\r\n",
        b"Set-Cookie:  theme =x\r\n",
        b"Set-Cookie: theme=\r\n",
    ]


# Caches.


@pytest.mark.parametrize(
    "cache_control, expected",
    [
        ([], b"no-store"),
        ([b"no-store"], b"no-store"),
        ([b"No-Store"], b"No-Store"),
        ([b"private"], b"private"),
        ([b"max-age=60"], b"max-age=60, private"),
        ([b"public"], b"private"),
        ([b"PUBLIC, max-age=60"], b"max-age=60, private"),
        ([b"public, s-maxage=60, max-age=5"], b"max-age=5, private"),
        ([b"S-MaxAge=60"], b"private"),
        ([b"private, max-age=60, immutable"], b"private, max-age=60, immutable"),
        ([b"max-age=60", b"private"], b"max-age=60, private"),
        ([b"", b" , "], b"private"),
        ([b'private="set-cookie"'], b'private="set-cookie", private'),
        ([b'private="set-cookie", max-age=60'], b'private="set-cookie", max-age=60, private'),
        ([b'x="a, private, b", max-age=60'], b'x="a, private, b", max-age=60, private'),
        ([b"no-store=x"], b"no-store=x, private"),
        ([b"must-revalidate, proxy-revalidate"], b"must-revalidate, proxy-revalidate, private"),
    ],
)
def test_a_personal_answer_is_never_left_to_a_shared_cache(cache_control: list[bytes], expected: bytes) -> None:
    fields = [(b"Cache-Control", value) for value in cache_control]
    assert passed(fields, is_personal=True) == [b"Cache-Control: %b\r\nVary: Cookie\r\n" % expected]


def test_a_personal_answer_varies_by_cookie_besides_what_the_upstream_says() -> None:
    assert passed([(b"Vary", b"Accept, Origin"), (b"vary", b"Range")], is_personal=True) == [
        b"Cache-Control: no-store\r\nVary: Accept, Origin, Range, Cookie\r\n"
    ]


def test_what_is_said_to_caches_of_an_answer_for_everybody_passes() -> None:
    fields = [(b"Cache-Control", b"public, s-maxage=60"), (b"Cache-Control", b"max-age=5"), (b"Vary", b"Accept")]
    assert passed(fields) == [b"%b: %b\r\n" % field for field in fields]
    assert passed([]) == []


@pytest.mark.parametrize(
    "name",
    [
        b"CDN-Cache-Control",
        b"Cloudflare-CDN-Cache-Control",
        b"Vercel-CDN-Cache-Control",
        b"Netlify-CDN-Cache-Control",
        b"Surrogate-Control",
        b"Edge-Control",
        b"X-Accel-Expires",
        b"cdn-cache-control",
    ],
)
def test_what_only_shared_caches_hear_passes_for_everybodys_answers_alone(name: bytes) -> None:
    assert passed([(name, b"max-age=600")]) == [name + b": max-age=600\r\n"]
    assert passed([(name, b"max-age=600")], is_personal=True) == [b"Cache-Control: no-store\r\nVary: Cookie\r\n"]


# Framing.


def framed(head: AnswerHead, *, chunks: bool = False, closes: bool = False) -> bytes:
    return head.framed(chunks=chunks, closes=closes, request_id="id-1")


OURS = b"X-Content-Type-Options: nosniff\r\nX-Request-Id: id-1\r\n"


def test_an_answer_is_dated_once() -> None:
    ours = b"Date: now\r\n"
    theirs = [(b"Date", b"then"), (b"date", b"never")]
    assert head_of([]).framed(chunks=False, closes=False, request_id="i", date=ours).count(b"Date: ") == 1
    framed_theirs = head_of(theirs).framed(chunks=False, closes=False, request_id="i", date=ours)
    assert (framed_theirs.count(b"\r\nDate: then\r\n"), framed_theirs.lower().count(b"date: ")) == (1, 1)


def test_a_length_is_passed_on() -> None:
    head = head_of([(b"content-length", b" 005 ")])
    assert (head.content_length, head.has_body, head.is_chunked, head.ends_with_connection) == (5, True, False, False)
    assert framed(head) == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + OURS + b"\r\n"


def test_an_unknown_length_becomes_chunks_or_the_end_of_the_connection() -> None:
    head = head_of([(b"Transfer-Encoding", b"Chunked ")])
    assert (head.is_chunked, head.ends_with_connection) == (True, False)
    assert framed(head, chunks=True) == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + OURS + b"\r\n"
    head = head_of([])
    assert (head.is_chunked, head.ends_with_connection) == (False, True)
    assert framed(head, closes=True) == b"HTTP/1.1 200 OK\r\n" + OURS + b"Connection: close\r\n\r\n"


@pytest.mark.parametrize("status, length", [(204, b""), (304, b"Content-Length: 5\r\n")])
def test_an_answer_without_a_body_has_the_length_that_its_status_permits(status: int, length: bytes) -> None:
    head = head_of([(b"Content-Length", b"5")], status=status)
    assert (head.has_body, head.ends_with_connection) == (False, False)
    assert framed(head).split(b"\r\n", 1)[1] == length + OURS + b"\r\n"


def test_the_answer_to_head_has_the_length_and_no_body() -> None:
    head = head_of([(b"Content-Length", b"5")], to_head=True)
    assert head.has_body is False
    assert b"Content-Length: 5\r\n" in framed(head)
    assert head_of([], to_head=True).ends_with_connection is False


@pytest.mark.parametrize(
    "fields, reason",
    [
        ([(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")], "upstream.framing"),
        ([(b"Content-Length", b"5"), (b"Content-Length", b"5")], "upstream.content_length"),
        ([(b"Content-Length", b"-5")], "upstream.content_length"),
        ([(b"Content-Length", b"")], "upstream.content_length"),
        ([(b"Content-Length", b"9" * 19)], "upstream.content_length"),
        ([(b"Content-Length", b"\xb2")], "upstream.content_length"),
        ([(b"Transfer-Encoding", b"gzip, chunked")], "upstream.transfer_encoding"),
        ([(b"Transfer-Encoding", b"identity")], "upstream.transfer_encoding"),
        ([(b"Transfer-Encoding", b"")], "upstream.transfer_encoding"),
        ([(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")], "upstream.transfer_encoding"),
    ],
)
def test_ambiguous_framing_is_no_answer(fields: Fields, reason: str) -> None:
    with pytest.raises(UpstreamUnavailable) as refused:
        head_of(fields)
    assert refused.value.reason == reason


def test_the_memory_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: dict[bytes, tuple[int, bytes]] = {}
    monkeypatch.setattr(answer_head, "_kinds", kinds)
    assert passed([(b"X-" + b"a" * 100, b"v")])
    assert not kinds
    for number in range(3 * answer_head._MOST_NAMES):
        assert passed([(b"X-%d" % number, b"v")])
    assert len(kinds) == answer_head._MOST_NAMES
    assert passed([(b"Set-Cookie", b"bff=evil")]) == []
