"""A page in a frame that tells the page around it one thing, and nobody but a page of our own origin."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Final

from bff.http.problem_page import Page

# Exact origins at both ends (RFC 9700 section 4.17): the browser delivers to no other, and none but ours frames this.
_SCRIPT: Final = "parent.postMessage(JSON.parse(document.body.dataset.message),document.body.dataset.origin)"
_SCRIPT_HASH: Final = base64.b64encode(hashlib.sha256(_SCRIPT.encode("ascii")).digest()).decode("ascii")
_POLICY: Final = (
    f"default-src 'none'; script-src 'sha256-{_SCRIPT_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)


def message_page(message: Mapping[str, object], *, origin: str) -> Page:
    """Return the page that posts the message to its parent, which must be of `origin`."""
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Login</title></head>'
        f'<body data-origin="{escape(origin)}" data-message="{escape(json.dumps(message))}">'
        f"<script>{_SCRIPT}</script></body></html>"
    )
    return Page(
        document.encode("utf-8"),
        (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", _POLICY),
            ("Referrer-Policy", "no-referrer"),
            ("X-Frame-Options", "SAMEORIGIN"),
        ),
    )
