"""A request as the endpoints see it: raw path, raw query, raw fields, nothing folded, unquoted or rebuilt."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from starlette.types import Receive, Scope

from bff.errors import BadRequest, BodyTooLarge
from bff.http.cookies import cookie_pairs
from bff.http.problem import is_navigation

BODY_TIMEOUT: Final = 10.0
"""Seconds from the start of reading a body to its end."""

_NOTES: Final = "bff.notes"


@dataclass(slots=True)
class Notes:
    """What is known of a request for its answer's header and its line in the access log."""

    request_id: str
    client: str
    route: str = "-"
    code: str | None = None


def attach_notes(scope: Scope, notes: Notes) -> None:
    """Give the request its notes; done once, before anything else sees it."""
    scope[_NOTES] = notes


def notes_of(scope: Scope) -> Notes:
    """Return the notes of the request."""
    notes = scope[_NOTES]
    assert isinstance(notes, Notes)
    return notes


class Request:
    """One request; `path` is the raw path, still percent-encoded, and `query` the raw query."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._fields: list[tuple[bytes, bytes]] = list(scope["headers"])
        self.notes = notes_of(scope)
        self.method: str = scope["method"]
        self.path: bytes = scope["raw_path"]
        self.query: bytes = scope["query_string"]

    def all(self, name: bytes) -> list[bytes]:
        """Return every value of the field, in order; `name` is in lower case."""
        return [value for field_name, value in self._fields if field_name == name]

    def single(self, name: bytes) -> bytes | None:
        """Return the field's value; values of a field sent more than once come joined, so they equal none expected."""
        values = self.all(name)
        return b", ".join(values) if values else None

    @cached_property
    def cookies(self) -> list[tuple[bytes, bytes]]:
        """Every cookie in the order sent, duplicates included."""
        return list(cookie_pairs(self.all(b"cookie")))

    def cookie(self, name: str) -> list[bytes]:
        """Return every value given for the cookie of exactly that name."""
        wanted = name.encode("ascii")
        return [value for cookie_name, value in self.cookies if cookie_name == wanted]

    @property
    def is_navigation(self) -> bool:
        """Whether a person is waiting for a page."""
        return is_navigation(
            method=self.method.encode("ascii"),
            sec_fetch_mode=self.single(b"sec-fetch-mode"),
            accept=self.single(b"accept"),
        )

    @property
    def is_form(self) -> bool:
        """Whether the body says that it is a form in URL encoding."""
        media_type = (self.single(b"content-type") or b"").partition(b";")[0].strip(b" \t").lower()
        return media_type == b"application/x-www-form-urlencoded"

    async def form_body(self, limit: int) -> bytes:
        """Return the body of a form post in URL encoding.

        Raises `BadRequest` for another media type and for a body that does not arrive, `BodyTooLarge` for more than
        `limit` bytes.
        """
        if not self.is_form:
            raise BadRequest("body.media_type")
        try:
            async with asyncio.timeout(BODY_TIMEOUT):
                return await self._body(limit)
        except TimeoutError:
            raise BadRequest("body.timeout") from None

    async def _body(self, limit: int) -> bytes:
        body = bytearray()
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise BadRequest("body.incomplete")
            body += message.get("body", b"")
            if len(body) > limit:
                raise BodyTooLarge("body.size")
            if not message.get("more_body", False):
                return bytes(body)
