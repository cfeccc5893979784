"""One request to an ASGI application as raw bytes, without a client that would tidy the path or fold the fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

Fields = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """What the application sent; field names are in lower case."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return every value of the field."""
        return [value for field_name, value in self.fields if field_name == name]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def get(self, name: str) -> str | None:
        """Return the field's only value, None if it was not sent."""
        return self[name] if self.all(name) else None

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")


async def call(
    app: ASGIApp,
    method: str,
    target: str | bytes,
    fields: Fields = (),
    *,
    body: bytes | Sequence[bytes] = b"",
    breaks_off: bool = False,
    client: tuple[str, int] | None = ("192.0.2.1", 50000),
) -> Answer:
    """Send a request and return the answer; a body of several chunks arrives in as many messages.

    With `breaks_off` the client is gone after the body's chunks.
    """
    raw = target if isinstance(target, bytes) else target.encode("latin-1")
    path, _, query = raw.partition(b"?")
    chunks = [body] if isinstance(body, bytes) else list(body)
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": breaks_off or number < len(chunks) - 1}
        for number, chunk in enumerate(chunks)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields],
        "client": client,
        "server": ("127.0.0.1", 8080),
    }
    await app(scope, receive, send)
    start, *rest = sent
    assert start["type"] == "http.response.start"
    assert rest
    assert not rest[-1].get("more_body", False)
    return Answer(
        start["status"],
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]],
        b"".join(message["body"] for message in rest),
    )
