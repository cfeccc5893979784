"""The way back from the provider's logout: the address is cleared of our `state`, anything else is the application's.

The session is gone before the browser leaves, so nothing depends on what comes back: an address with another `state`,
or with none, is served as it is (OpenID Connect RP-Initiated Logout 1.0 section 3).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from bff.asgi.answers import redirection
from bff.asgi.request import Request
from bff.logs import event
from bff.oauth.query import MalformedQuery, parse_parameters
from bff.session.signing import StateSigner, StateVerdict

RETURN_MAX_AGE: Final = 3600.0
"""Seconds that a person may take over the provider's own questions."""

_LONGEST_QUERY: Final = 8 * 1024


class LogoutReturn:
    """Passes everything on to `page` but the return to `path` with a `state` that was signed here."""

    def __init__(self, page: ASGIApp, *, path: str, states: StateSigner, clock: Callable[[], float]) -> None:
        self._page = page
        self._location = path
        self._path = path.partition("?")[0].encode("ascii")
        self._states = states
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["raw_path"] == self._path and scope["method"] == "GET" and self._has_our_state(scope["query_string"]):
            request = Request(scope, receive)
            request.notes.route = "bff.logout.return"
            event(logging.INFO, "logout.returned", request_id=request.notes.request_id)
            await redirection(self._location)(scope, receive, send)
            return
        await self._page(scope, receive, send)

    def _has_our_state(self, query: bytes) -> bool:
        if b"state=" not in query:
            return False
        try:
            state = parse_parameters(query, max_size=_LONGEST_QUERY).get("state", "")
        except MalformedQuery:
            return False
        return self._states.verify(state, RETURN_MAX_AGE, self._clock()) is StateVerdict.FRESH
