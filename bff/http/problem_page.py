"""Errors as a page, for a person who followed a link or typed an address; it needs no script and loads nothing."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from typing import Final

from bff.errors import GatewayError

STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1.5rem;color-scheme:light dark}"
    "h1{font-size:1.5rem}small{opacity:.7}a{margin-right:1.5rem}"
)
STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode("ascii")).digest()).decode("ascii")
PAGE_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page and the header fields that belong to it."""

    body: bytes
    headers: tuple[tuple[str, str], ...]


def problem_page(error: GatewayError, *, request_id: str, login_url: str | None = None, start_url: str = "/") -> Page:
    """Return the page: what happened, a way on, and the identifier by which the log line can be found."""
    return page(
        title=error.title,
        lines=(),
        links=([(login_url, "Sign in")] if login_url else []) + [(start_url, "Go to the start page")],
        footnote=f"{error.code}, reference {request_id}",
    )


def page(
    *,
    title: str,
    lines: tuple[str, ...],
    links: list[tuple[str, str]],
    footnote: str = "",
    continue_to: str | None = None,
) -> Page:
    """Return a page; `continue_to` is a path of ours the browser goes on to by itself, as a navigation of our own."""
    refresh = f'<meta http-equiv="refresh" content="0; url={escape(continue_to)}">' if continue_to else ""
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in lines)
    anchors = "".join(f'<a href="{escape(url)}">{escape(text)}</a>' for url, text in links)
    small = f"<p><small>{escape(footnote)}</small></p>" if footnote else ""
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"{refresh}<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{paragraphs}<p>{anchors}</p>{small}</main></body></html>"
    )
    return Page(
        document.encode("utf-8"),
        (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", PAGE_POLICY),
            ("Referrer-Policy", "no-referrer"),
            ("X-Frame-Options", "DENY"),
        ),
    )
