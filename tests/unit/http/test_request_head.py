"""A request's header section: what reaches the upstream, what is for the gateway alone, and how the body is framed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.errors import BadRequest
from bff.http import request_head
from bff.http.request_head import RequestHead
from tests.support.corpus import lines

CORPUS = [tuple(line.split(" ", 1)) for line in lines("request_headers.txt")]
PASSES = [name.encode() for verdict, name in CORPUS if verdict == "passes"]
WITHHELD = [name.encode() for verdict, name in CORPUS if verdict == "withheld"]
# Values the head itself would refuse are given such as it takes.
VALUES = {b"content-length": b"0", b"transfer-encoding": b"chunked"}


def value_for(name: bytes) -> bytes:
    return VALUES.get(name.lower(), b"some value")


def test_the_corpus_holds_hundreds_of_names() -> None:
    assert len(PASSES) > 100
    assert len(WITHHELD) > 170
    assert not {name.lower() for name in PASSES} & {name.lower() for name in WITHHELD}


@pytest.mark.parametrize("name", PASSES, ids=ascii)
def test_an_ordinary_field_passes_as_it_came(name: bytes) -> None:
    assert RequestHead([(name, b"some value")]).passing == [name + b": some value\r\n"]


@pytest.mark.parametrize("name", WITHHELD, ids=ascii)
def test_a_field_the_gateway_vouches_for_ends_here(name: bytes) -> None:
    assert RequestHead([(b"A", b"b"), (name, value_for(name)), (b"C", b"d")]).passing == [b"A: b\r\n", b"C: d\r\n"]


@given(st.data())
def test_no_withheld_field_survives_whatever_its_case_or_what_connection_says(data: st.DataObject) -> None:
    def any_case(name: bytes) -> bytes:
        flips = data.draw(st.lists(st.booleans(), min_size=len(name), max_size=len(name)))
        pairs = zip(name.decode(), flips, strict=True)
        return "".join(letter.upper() if flip else letter.lower() for letter, flip in pairs).encode()

    framing = (b"content-length", b"transfer-encoding")
    unframed = [name for name in WITHHELD if name.lower() not in framing]
    names = [any_case(name) for name in data.draw(st.lists(st.sampled_from(PASSES + unframed), max_size=12))]
    named = data.draw(
        st.lists(st.sampled_from(WITHHELD + PASSES + [b"close", b"keep-alive", b"", b" ,", b"x"]), max_size=6)
    )
    separator = data.draw(st.sampled_from([b",", b", ", b" ,\t", b",,"]))
    fields = [(name, b"v%d" % index) for index, name in enumerate(names)]
    fields.insert(data.draw(st.integers(0, len(fields))), (any_case(b"connection"), separator.join(named)))
    passing = {name.lower() for name in PASSES}
    dropped = {token.strip().lower() for name in named for token in name.split(b",")} - {b"keep-alive", b"close"}
    expected = [
        b"%b: v%d\r\n" % (name, index)
        for index, name in enumerate(names)
        if name.lower() in passing and name.lower() not in dropped
    ]
    assert RequestHead(fields).passing == expected


@given(st.text("!#$%&'*+.^_`|~-abcXYZ0129", min_size=1, max_size=12))
def test_no_name_passes_that_another_server_could_read_as_a_withheld_one(name: str) -> None:
    head = RequestHead([(name.encode(), b"v")])
    folded = "".join(sign if sign.isalnum() else "-" for sign in name).lower().encode()
    if folded in {withheld.lower() for withheld in WITHHELD if withheld.replace(b"-", b"a").isalnum()}:
        assert head.passing == []


def test_the_gateway_reads_what_it_decides_by_even_if_connection_names_it() -> None:
    head = RequestHead([(b"Connection", b"origin, cookie, host, sec-fetch-site"), (b"Origin", b"o"), (b"Cookie", b"c")])
    assert (head.single(b"origin"), head.all(b"cookie"), head.passing) == (b"o", [b"c"], [])


@pytest.mark.parametrize("name", [b"Origin", b"Sec-Fetch-Site", b"Sec-Fetch-Mode", b"Accept"])
def test_what_the_upstream_may_decide_by_as_well_is_read_and_passed(name: bytes) -> None:
    head = RequestHead([(name, b"v")])
    assert (head.single(name.lower()), head.passing) == (b"v", [name + b": v\r\n"])


def test_a_field_sent_twice_equals_neither_value() -> None:
    head = RequestHead([(b"Sec-Fetch-Site", b"same-origin"), (b"sec-fetch-site", b"same-origin")])
    assert head.single(b"sec-fetch-site") == b"same-origin, same-origin"
    assert head.all(b"sec-fetch-site") == [b"same-origin", b"same-origin"]


def test_a_field_not_sent_is_none() -> None:
    head = RequestHead([])
    assert (head.single(b"origin"), head.all(b"origin")) == (None, [])
    assert (head.content_length, head.is_chunked, head.passing) == (None, False, [])


@pytest.mark.parametrize("value", [b"close", b"keep-alive", b"Upgrade", b"close, Keep-Alive", b"", b" , ,"])
def test_a_connection_field_that_names_no_field_drops_none(value: bytes) -> None:
    assert RequestHead([(b"Connection", value), (b"Close", b"v"), (b"X", b"y")]).passing == [
        b"Close: v\r\n",
        b"X: y\r\n",
    ]


def test_fields_named_in_any_of_several_connection_fields_are_dropped() -> None:
    fields = [(b"Connection", b"a"), (b"A", b"1"), (b"B", b"2"), (b"C", b"3"), (b"connection", b"close,\tC ")]
    assert RequestHead(fields).passing == [b"B: 2\r\n"]


@pytest.mark.parametrize("value, length", [(b"0", 0), (b"5", 5), (b"005", 5), (b" 5\t", 5), (b"9" * 18, 10**18 - 1)])
def test_a_length_is_a_number(value: bytes, length: int) -> None:
    assert RequestHead([(b"Content-Length", value)]).content_length == length


@pytest.mark.parametrize(
    "values",
    [
        [b""],
        [b"-1"],
        [b"+1"],
        [b"1 1"],
        [b"1,1"],
        [b"0x1"],
        [b"1.0"],
        [b"1e3"],
        [b"\xb2"],
        [b"9" * 19],
        [b"1", b"1"],
        [b"1", b"2"],
    ],
)
def test_any_other_length_is_refused(values: list[bytes]) -> None:
    with pytest.raises(BadRequest, match=r"framing\.content_length"):
        RequestHead([(b"Content-Length", value) for value in values])


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b"CHUNKED", b" chunked\t"])
def test_chunked_is_the_one_transfer_encoding(value: bytes) -> None:
    head = RequestHead([(b"Transfer-Encoding", value)])
    assert (head.is_chunked, head.passing) == (True, [])


@pytest.mark.parametrize(
    "values",
    [
        [b""],
        [b"identity"],
        [b"gzip"],
        [b"gzip, chunked"],
        [b"chunked, chunked"],
        [b"chunked;a=b"],
        [b"xchunked"],
        [b"chunked,"],
        [b'"chunked"'],
        [b"\x0bchunked"],
        [b"chunked", b"chunked"],
        [b"chunked", b"identity"],
    ],
)
def test_any_other_transfer_encoding_is_refused(values: list[bytes]) -> None:
    with pytest.raises(BadRequest, match=r"framing\.transfer_encoding"):
        RequestHead([(b"Transfer-Encoding", value) for value in values])


def test_two_framings_are_refused() -> None:
    with pytest.raises(BadRequest, match=r"framing\.both"):
        RequestHead([(b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"5")])


def test_the_memory_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: dict[bytes, tuple[int, bytes]] = {}
    monkeypatch.setattr(request_head, "_kinds", kinds)
    assert RequestHead([(b"X-" + b"a" * 100, b"v")]).passing
    assert not kinds
    for number in range(3 * request_head._MOST_NAMES):
        assert RequestHead([(b"X-%d" % number, b"v")]).passing
    assert len(kinds) == request_head._MOST_NAMES
    assert RequestHead([(b"Authorization", b"v")]).passing == []
