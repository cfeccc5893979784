"""The provider's form post, answered by a page of ours that repeats it.

     provider's page ── POST, cross-site: no cookie of ours comes along ──► a page with the answer, sealed
     that page       ── POST, same-site: the cookies come along ──────────► the login goes on

So form_post needs no cookie that other sites' requests carry (OAuth 2.0 Form Post Response Mode). It helps a login in a
frame as well, where a provider's page that goes on by script is another site. Nothing is stored: the answer goes
through the browser a second time, unreadable and unchanged.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from bff.asgi.answers import page_answer
from bff.asgi.paths import CALLBACK
from bff.errors import LoginFailed
from bff.http.posting_page import posting_page
from bff.oauth.authorization_response import parse_response
from bff.session.sealing import SealBroken, Sealer

MAX_BODY: Final = 32 * 1024
"""Bytes: an answer at its largest, sealed and encoded."""

_FIELD: Final = "repeated"
_SEALED_AS: Final = "form post of the provider"


class RepeatedAnswers:
    """Makes the page, and reads what it posts."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def page(self, encoded: bytes, *, is_framed: bool) -> Response:
        """Return the page that posts the form-encoded answer again; `is_framed` if a page of ours frames it."""
        sealed = self._sealer.seal_transaction(encoded, name=_SEALED_AS)
        frames = "'self'" if is_framed else "'none'"
        return page_answer(
            posting_page(title="One moment …", action=CALLBACK, name=_FIELD, value=sealed, frame_ancestors=frames)
        )

    def original(self, body: bytes) -> tuple[bytes, bool]:
        """Return the answer in a posted form, and whether our page posted it; raises `LoginFailed`."""
        parameters = parse_response(body, max_size=MAX_BODY)
        if _FIELD not in parameters:
            return body, False
        try:
            return self._sealer.open_transaction(parameters[_FIELD], name=_SEALED_AS), True
        except SealBroken as broken:
            raise LoginFailed(f"callback.repeated_{broken.reason}") from None
