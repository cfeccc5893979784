"""The Content-Security-Policy of the application's documents."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Final

# Scripts, the way to a session, come from here or not at all. Styles may be inline, for most component libraries
# insert them; pictures may come from elsewhere, for users' portraits do. There is no `form-action`: browsers apply it
# to redirections too, and a logout form is redirected to the provider.
_DIRECTIVES: Final = (
    "default-src 'self'",
    "script-src 'self'{hashes}",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob: https:",
    "font-src 'self' data:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "frame-ancestors 'none'",
)


def document_policy(document: bytes = b"", *, frames: Iterable[str] = ()) -> str:
    """Return the policy for an HTML document: its own inline scripts run, by their hashes, and no others.

    `frames` are origins besides our own that it may show in frames.
    """
    hashes = "".join(f" 'sha256-{_hash(script)}'" for script in inline_scripts(document))
    policy = "; ".join(_DIRECTIVES).format(hashes=hashes)
    foreign = " ".join(frames)
    return f"{policy}; frame-src 'self' {foreign}" if foreign else policy


def inline_scripts(document: bytes) -> list[str]:
    """Return the text of every script without `src` in the document, each once."""
    parser = _InlineScripts()
    # Browsers normalise line ends before they hash.
    parser.feed(document.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n"))
    parser.close()
    return list(dict.fromkeys(parser.scripts))


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")


class _InlineScripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.scripts: list[str] = []
        self._parts: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        if tag == "script" and all(name != "src" for name, _ in attrs):
            self._parts = []

    def handle_data(self, data: str) -> None:
        if self._parts is not None:
            self._parts.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "script" and self._parts is not None:
            self.scripts.append("".join(self._parts))
            self._parts = None
