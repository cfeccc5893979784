"""What there is at `/` as long as the gateway has no application to serve."""

from __future__ import annotations

from typing import Final

from starlette.types import Receive, Scope, Send

from bff.asgi.answers import page_answer
from bff.asgi.paths import LOGIN, SESSION
from bff.asgi.request import Request
from bff.errors import MethodNotAllowed, NotFound
from bff.http.problem_page import page

_METHODS: Final = ("GET", "HEAD")


class Placeholder:
    """An ASGI application with one page."""

    def __init__(self) -> None:
        self._page = page(
            title="The gateway is running.",
            lines=("It has no application to serve yet: set BFF_STATIC_DIR to the directory of the built one.",),
            links=[(LOGIN, "Sign in"), (SESSION, "Show the session")],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; raises `NotFound` and `MethodNotAllowed`."""
        request = Request(scope, receive)
        request.notes.route = "spa"
        if request.path != b"/":
            raise NotFound("path.unknown")
        if request.method not in _METHODS:
            raise MethodNotAllowed(_METHODS, "method")
        answer = page_answer(self._page)
        answer.headers["Cache-Control"] = "no-store"
        await answer(scope, receive, send)
