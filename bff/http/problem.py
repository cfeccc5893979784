"""Errors as the browser sees them: problem details (RFC 9457), or a readable page for a navigation."""

from __future__ import annotations

import json
from math import ceil

from bff.errors import GatewayError, MethodNotAllowed

PROBLEM_MEDIA_TYPE = "application/problem+json"


def problem_body(error: GatewayError, *, request_id: str, login_url: str | None = None) -> bytes:
    """Return the problem details document: `type`, `title`, `status`, `code`, `request_id` and, for a 401, `login_url`.

    Nothing in it comes from the request, the provider or the upstream.
    """
    document: dict[str, object] = {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "request_id": request_id,
    }
    if login_url is not None:
        document["login_url"] = login_url
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def problem_headers(error: GatewayError) -> list[tuple[str, str]]:
    """Return the header fields that belong to the error whatever its body: no-store, Retry-After, Allow."""
    headers = [("Cache-Control", "no-store")]
    if error.retry_after is not None:
        headers.append(("Retry-After", str(ceil(error.retry_after))))
    if isinstance(error, MethodNotAllowed):
        headers.append(("Allow", ", ".join(error.allowed)))
    return headers


def is_navigation(*, method: bytes, sec_fetch_mode: bytes | None, accept: bytes | None) -> bool:
    """Whether a person is waiting for a page: Fetch Metadata decides, else whether HTML is accepted by name."""
    if sec_fetch_mode is not None:
        return sec_fetch_mode == b"navigate"
    return method in (b"GET", b"HEAD", b"POST") and accept is not None and b"text/html" in accept.lower()
