from __future__ import annotations

import base64
import hashlib

import pytest

from bff.static_files.policy import document_policy, inline_scripts


def hash_of(script: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"


def test_scripts_come_from_our_origin_alone_and_nobody_frames_us() -> None:
    directives = dict(directive.partition(" ")[::2] for directive in document_policy().split("; "))
    assert directives["script-src"] == "'self'"
    assert directives["default-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["object-src"] == "'none'"


def test_a_logout_form_may_be_redirected_to_the_provider() -> None:
    assert "form-action" not in document_policy()


def test_inline_scripts_of_the_document_are_allowed_by_their_hash() -> None:
    script = 'let a = "<b>&amp;"'
    policy = document_policy(f'<script>{script}</script><script src="/app.js"></script>'.encode())
    assert f"script-src 'self' {hash_of(script)};" in policy


def test_line_ends_are_hashed_as_browsers_see_them() -> None:
    assert inline_scripts(b"<script>a\r\nb\rc</script>") == ["a\nb\nc"]


@pytest.mark.parametrize(
    ("document", "scripts"),
    [
        (b"", []),
        (b"<script></script>", [""]),
        (b"<script>a</script><script>a</script>", ["a"]),
        (b"<SCRIPT type=module>import 'x'</SCRIPT>", ["import 'x'"]),
        (b"<script>unclosed", []),
        (b"<p>text</p></script>", []),
        (b"<!-- <script>a</script> -->", []),
    ],
)
def test_each_inline_script_counts_once(document: bytes, scripts: list[str]) -> None:
    assert inline_scripts(document) == scripts
