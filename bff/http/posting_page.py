"""A page that posts one value to an address of ours: by itself where scripts run, else at the press of a button."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

from bff.http.problem_page import STYLE, STYLE_HASH, Page

_SCRIPT: Final = "document.forms[0].submit()"
_SCRIPT_HASH: Final = base64.b64encode(hashlib.sha256(_SCRIPT.encode("ascii")).digest()).decode("ascii")


def posting_page(*, title: str, action: str, name: str, value: str, frame_ancestors: str = "'none'") -> Page:
    """Return the page; `action` is a path of ours, `frame_ancestors` who may frame it (CSP Level 3)."""
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f'<body><main><h1>{escape(title)}</h1><form method="post" action="{escape(action)}">'
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}"><button>Continue</button></form></main>'
        f"<script>{_SCRIPT}</script></body></html>"
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; script-src 'sha256-{_SCRIPT_HASH}'; base-uri 'none'; "
        f"form-action 'self'; frame-ancestors {frame_ancestors}"
    )
    return Page(
        document.encode("utf-8"),
        (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", policy),
            ("Referrer-Policy", "no-referrer"),
            ("X-Frame-Options", "DENY" if frame_ancestors == "'none'" else "SAMEORIGIN"),
        ),
    )
