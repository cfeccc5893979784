"""The proxy's own answers: problem details for a script, a page for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bff.errors import GatewayError, NoSession, StepUpRequired
from bff.http.answer_head import STATUS_LINES
from bff.http.problem import PROBLEM_MEDIA_TYPE, is_navigation, problem_body, problem_headers
from bff.http.problem_page import problem_page

if TYPE_CHECKING:
    from bff.proxy.request import Request

_LOGIN_URL = "/bff/login"


def refusal(
    error: GatewayError, request: Request | None, *, closes: bool, date: bytes, request_id: str = ""
) -> tuple[bytes, bytes]:
    """Return header section and body of the answer to a request that is refused."""
    login_url = _login_url(error)
    if request is not None:
        request_id = request.request_id
    headers = problem_headers(error)
    if request is not None and is_navigation(
        method=request.method,
        sec_fetch_mode=request.head.single(b"sec-fetch-mode"),
        accept=request.head.single(b"accept"),
    ):
        page = problem_page(error, request_id=request_id, login_url=login_url)
        body = page.body
        headers += page.headers
    else:
        body = problem_body(error, request_id=request_id, login_url=login_url)
        headers.append(("Content-Type", PROBLEM_MEDIA_TYPE))
    headers += [("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff"), ("X-Request-Id", request_id)]
    if closes:
        headers.append(("Connection", "close"))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return STATUS_LINES[error.status] + date + lines.encode("ascii") + b"\r\n", body


def _login_url(error: GatewayError) -> str | None:
    if isinstance(error, StepUpRequired):
        return f"{_LOGIN_URL}?{error.login_query}"
    return _LOGIN_URL if isinstance(error, NoSession) else None
