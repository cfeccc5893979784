"""Request targets: what could leave its route is refused, everything else passes byte for byte."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bff.errors import BadRequest
from bff.http.targets import LONGEST_DOUBTFUL, check_path, split_target, upstream_target
from tests.support.corpus import cases, octets

UNSAFE = [octets(case) for case in cases("unsafe_targets.txt")]
SAFE = [octets(case) for case in cases("safe_targets.txt")]


def forwarded(target: bytes, upstream_path: bytes = b"") -> bytes:
    """Return the target at an upstream as a route with the prefix `/api`, or `/` for all else, makes it."""
    path, query = split_target(target)
    prefix = b"/api" if path.split(b"/")[1] == b"api" else b""
    check_path(path)
    return upstream_target(path, query, prefix=prefix, upstream_path=upstream_path)


def test_the_corpora_hold_hundreds_of_different_targets() -> None:
    assert len(UNSAFE) == len(set(UNSAFE)) > 600
    assert len(SAFE) == len(set(SAFE)) > 170


@pytest.mark.parametrize("target", UNSAFE, ids=ascii)
def test_an_unsafe_target_is_refused(target: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        forwarded(target)
    assert re.fullmatch(r"target\.[a-z0-9_]+", refused.value.reason)


@pytest.mark.parametrize("target", SAFE, ids=ascii)
def test_a_safe_target_passes_byte_for_byte(target: bytes) -> None:
    expected = target.removeprefix(b"/api") if re.match(rb"/api([/?]|$)", target) else target
    if not expected.startswith(b"/"):
        expected = b"/" + expected
    assert forwarded(target) == expected
    assert forwarded(target, b"/v1").startswith(b"/v1")


@pytest.mark.parametrize(
    "target, expected",
    [
        (b"/a", (b"/a", None)),
        (b"/a?", (b"/a", b"")),
        (b"/a?b=c", (b"/a", b"b=c")),
        (b"/a?b?c", (b"/a", b"b?c")),
        (b"/a/?", (b"/a/", b"")),
    ],
)
def test_a_query_begins_at_the_first_question_mark(target: bytes, expected: tuple[bytes, bytes | None]) -> None:
    assert split_target(target) == expected


@pytest.mark.parametrize(
    "path, query, prefix, upstream_path, expected",
    [
        (b"/api", None, b"/api", b"", b"/"),
        (b"/api", b"", b"/api", b"", b"/?"),
        (b"/api", b"x=y", b"/api", b"", b"/?x=y"),
        (b"/api", None, b"/api", b"/v1", b"/v1"),
        (b"/api/", None, b"/api", b"/v1", b"/v1/"),
        (b"/api/a%2Fb", b"c=%2F", b"/api", b"/v1/x", b"/v1/x/a%2Fb?c=%2F"),
        (b"/a", None, b"", b"", b"/a"),
        (b"/a", None, b"", b"/v1", b"/v1/a"),
        (b"/api//a", None, b"/api", b"/v1", b"/v1//a"),
        (b"/api/api/x", None, b"/api", b"", b"/api/x"),
    ],
)
def test_the_prefix_is_replaced_and_nothing_else(
    path: bytes, query: bytes | None, prefix: bytes, upstream_path: bytes, expected: bytes
) -> None:
    assert upstream_target(path, query, prefix=prefix, upstream_path=upstream_path) == expected


@pytest.mark.parametrize(
    "path, prefix, upstream_path", [(b"/api//evil", b"/api", b""), (b"//evil", b"", b""), (b"/x", b"", b"//evil")]
)
def test_a_target_that_would_begin_with_two_slashes_is_refused(
    path: bytes, prefix: bytes, upstream_path: bytes
) -> None:
    with pytest.raises(BadRequest, match=r"target\.double_slash"):
        upstream_target(path, None, prefix=prefix, upstream_path=upstream_path)


@pytest.mark.parametrize(
    "path, reason",
    [
        (b"/%", "target.percent_encoding"),
        (b"/%ff", "target.utf8"),
        (b"/%00", "target.control_character"),
        (b"/%5c", "target.backslash"),
        (b"/%2e", "target.dot_segment"),
        (b"/%2525252541", "target.percent_encoding"),
        (b"/" + b"a" * (LONGEST_DOUBTFUL - 3) + b"%41", "target.length"),
    ],
)
def test_the_log_can_say_why(path: bytes, reason: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check_path(path)
    assert refused.value.reason == reason


def test_a_path_that_needs_no_closer_look_may_be_longer() -> None:
    check_path(b"/" + b"a" * 2 * LONGEST_DOUBTFUL)
    check_path(b"/" + b"a" * (LONGEST_DOUBTFUL - 4) + b"%41")


# What upstreams make of a path.

_LEGACY_SLASHES = str.maketrans(dict.fromkeys("\u00a5\u20a9\u2044\u2215\u2216\uffe5\uffe6", "/"))


def _readings(path: bytes) -> set[str]:
    """Return the paths that upstreams of all sorts may take it for: decoded up to three times, cut, folded, turned."""
    found: set[str] = set()
    todo: list[tuple[int, bytes]] = [(0, path)]
    while todo:
        rounds, raw = todo.pop()
        for text in (raw.decode("latin-1"), raw.decode("utf-8", "replace")):
            for folded in (text, unicodedata.normalize("NFKC", text)):
                for turned in (folded, folded.replace("\\", "/"), folded.translate(_LEGACY_SLASHES)):
                    found.add(turned)
                    found.add(re.split(r"[?#\x00]", turned)[0])
                    found.add("/".join(segment.split(";")[0] for segment in turned.split("/")))
                    found.add("/".join(re.split(r"[;?#]", segment)[0].strip() for segment in turned.split("/")))
                    if rounds < 3 and turned != text:
                        todo.append((rounds + 1, turned.encode("utf-8")))
        if rounds < 3:
            further = unquote_to_bytes(raw)
            if further != raw:
                todo.append((rounds + 1, further))
    return found


def _stays_below(upstream_path: str, reading: str) -> bool:
    if upstream_path and not re.match(re.escape(upstream_path) + "(/|$)", reading):
        return False
    # Resolved step by step: a path may not leave and come back.
    depth = 0
    for segment in reading.removeprefix(upstream_path).split("/"):
        depth += -1 if segment == ".." else 1 if segment not in ("", ".") else 0
        if depth < 0:
            return False
    resolved = posixpath.normpath(reading)
    return not upstream_path or resolved == upstream_path or resolved.startswith(upstream_path + "/")


def test_the_model_of_upstreams_does_leave_a_subtree() -> None:
    for path in [
        b"/v1/../x",
        b"/v1/%2e%2e/x",
        b"/v1/%252e%252e/x",
        b"/v1/..;x/y",
        b"/v1/..%5cx",
        b"/v1/%ef%bc%8e%ef%bc%8e",
    ]:
        assert not all(_stays_below("/v1", reading) for reading in _readings(path)), path
    for path in [b"/v1/x/y", b"/v1", b"/v1/", b"/v1/a%2Fb", b"/v1/..hidden"]:
        assert all(_stays_below("/v1", reading) for reading in _readings(path)), path


_TOKENS = """
/ // . .. ... %2e %2E %252e %25252e %2f %2F %252f \\ %5c %255c ; ;x ;/ %3b ? %3f %253f %23 # %00 %20 %0a %09
%c0%ae %c0%af %e0%80%ae %ef%bc%8e %ef%bc%8f %ef%bc%bc %ef%bc%85 %e2%80%a4 %e2%80%a5 %c2%a5 %e2%88%95 %ef%bc%9b
% %2 %25 2e 2f 5c a x.y .x x. %41 %c3%a9 e%cc%81 ~ @ : evil.example = &
""".split()  # noqa: SIM905 -- to be read
_PATHS = st.one_of(
    st.lists(st.sampled_from(_TOKENS), max_size=12).map("".join),
    st.lists(st.sampled_from([*_TOKENS[:24], "a"]), max_size=8).map("".join),
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20),
    st.text(max_size=6).map(lambda text: "".join(f"%{octet:02x}" for octet in text.encode("utf-8", "surrogatepass"))),
)


@settings(max_examples=1500, deadline=None)
@given(rest=_PATHS, upstream_path=st.sampled_from(["", "/v1", "/v1/deep"]))
@example(rest="..%3fx", upstream_path="/v1")
@example(rest="%ef%bc%852e%ef%bc%852e", upstream_path="/v1")
@example(rest="..%c2%a5..", upstream_path="/v1")
def test_whatever_is_accepted_stays_below_the_upstream_path_in_every_reading(rest: str, upstream_path: str) -> None:
    target = f"/api/{rest}".encode("ascii")
    try:
        sent = forwarded(target, upstream_path.encode())
    except BadRequest:
        return
    assert sent == upstream_path.encode() + target.removeprefix(b"/api")
    assert sent.startswith(b"/")
    assert not sent.startswith(b"//")
    assert re.fullmatch(rb"[!-~]+", sent)
    assert b"#" not in sent
    path = sent.partition(b"?")[0]
    for reading in _readings(path):
        assert _stays_below(upstream_path, reading), reading


@settings(max_examples=500, deadline=None)
@given(st.text(st.characters(min_codepoint=1, max_codepoint=0xFF), max_size=30).map(octets))
def test_any_bytes_are_either_refused_or_kept(target: bytes) -> None:
    try:
        path, query = split_target(target)
    except BadRequest:
        return
    assert path + (b"" if query is None else b"?" + query) == target
    assert re.fullmatch(rb"/[!-~]*", target)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("abcXYZ019-_~", min_size=1, max_size=8), max_size=6))
def test_a_plain_path_is_always_kept(segments: list[str]) -> None:
    target = "/".join(["/api", *segments]).encode()
    assert forwarded(target) == (target.removeprefix(b"/api") or b"/")
