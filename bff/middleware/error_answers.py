"""Errors become answers here, and the reason of each is logged once."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bff.asgi.answers import Refusal, error_answer, with_cookies
from bff.asgi.request import Request
from bff.errors import GatewayError, as_gateway_error

OnRefusal = Callable[[Request, GatewayError], None]


class ErrorAnswers:
    """Answers whatever is raised within; `on_refusal` is told of every error that becomes an answer."""

    def __init__(self, app: ASGIApp, *, on_refusal: OnRefusal) -> None:
        self._app = app
        self._on_refusal = on_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; an error after the answer has begun is raised, for it can only break the answer off."""
        is_begun = False

        async def watched_send(message: Message) -> None:
            nonlocal is_begun
            is_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
            return
        except Exception as error:
            if is_begun:
                raise
            refusal = error if isinstance(error, Refusal) else Refusal(as_gateway_error(error))
        # Outside the handler: what sending the answer may raise has nothing to do with the error answered.
        request = Request(scope, receive)
        request.notes.code = refusal.error.code
        self._on_refusal(request, refusal.error)
        answer = with_cookies(error_answer(request, refusal.error, refusal.error_page), refusal.set_cookies)
        await answer(scope, receive, send)
