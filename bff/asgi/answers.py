"""Answers: JSON, redirections to places of our choosing, and errors as problem details or as a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.responses import Response

from bff.asgi.paths import LOGIN
from bff.asgi.request import Request
from bff.errors import GatewayError, NoSession
from bff.http.problem import PROBLEM_MEDIA_TYPE, problem_body, problem_headers
from bff.http.problem_page import Page, page

START_PAGE = ("/", "Go to the start page")


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What a person is told beyond the error's title, and the ways on; the title can be put in other words."""

    title: str | None = None
    lines: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = (START_PAGE,)
    continue_to: str | None = None


class Refusal(Exception):
    """An error with a page and cookies of its own; the answer's status and code are the error's."""

    def __init__(
        self, error: GatewayError, error_page: ErrorPage | None = None, set_cookies: tuple[str, ...] = ()
    ) -> None:
        super().__init__(error.reason)
        self.error = error
        self.error_page = error_page
        self.set_cookies = set_cookies


def json_answer(document: Mapping[str, object], *, status: int = 200, media_type: str = "application/json") -> Response:
    """Return the document as JSON."""
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    return Response(body, status, media_type=media_type)


def redirection(location: str, *, status: int = 303) -> Response:
    """Return a redirection; `location` is a URL of the provider or a validated path, never taken from a request."""
    return Response(b"", status, {"Location": location})


def page_answer(content: Page, *, status: int = 200) -> Response:
    """Return the page."""
    return Response(content.body, status, dict(content.headers))


def with_cookies(answer: Response, set_cookies: Iterable[str]) -> Response:
    """Return the answer with these `Set-Cookie` lines added."""
    for line in set_cookies:
        answer.headers.append("Set-Cookie", line)
    return answer


def error_answer(request: Request, error: GatewayError, error_page: ErrorPage | None = None) -> Response:
    """Return the error as a page if a person waits for one, else as problem details (RFC 9457)."""
    request_id = request.notes.request_id
    login_url = LOGIN if isinstance(error, NoSession) else None
    if request.is_navigation:
        answer = page_answer(_page(error, error_page, request_id, login_url), status=error.status)
    else:
        body = problem_body(error, request_id=request_id, login_url=login_url)
        answer = Response(body, error.status, media_type=PROBLEM_MEDIA_TYPE)
    for name, value in problem_headers(error):
        answer.headers[name] = value
    return answer


def _page(error: GatewayError, error_page: ErrorPage | None, request_id: str, login_url: str | None) -> Page:
    if error_page is None:
        sign_in = ((login_url, "Sign in"),) if login_url else ()
        error_page = ErrorPage(links=(*sign_in, START_PAGE))
    return page(
        title=error_page.title or error.title,
        lines=error_page.lines,
        links=list(error_page.links),
        footnote=f"{error.code}, reference {request_id}",
        continue_to=error_page.continue_to,
    )
