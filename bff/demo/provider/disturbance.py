"""Ways for an endpoint to misbehave while a test wants it."""

import asyncio
from dataclasses import dataclass, field

from starlette.types import Message, Send


@dataclass
class Disturbance:
    """What happens to requests of one path.

    `delay` is in seconds; `hold` keeps requests until the disturbance is replaced. Then `drop` cuts the
    connection, or `status`, `headers` and `body` are the answer; with neither the request goes on. `after`
    lets the request take effect first, so that only its answer is disturbed. `times` limits how many requests
    are disturbed (None: all).
    """

    delay: float = 0.0
    hold: bool = False
    after: bool = False
    drop: bool = False
    status: int | None = None
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    body: str = ""
    times: int | None = None

    def __post_init__(self) -> None:
        self._released = asyncio.Event()

    def use(self) -> bool:
        """Whether the next request is disturbed; counts it."""
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0

    def release(self) -> None:
        """Let the requests that are held go on."""
        self._released.set()

    async def wait(self) -> None:
        """Delay and hold the request."""
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.hold:
            await self._released.wait()

    def answer(self) -> list[Message]:
        """The answer in place of the true one."""
        body = self.body.encode()
        headers = {**self.headers, "content-length": str(len(body))}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        return [
            {"type": "http.response.start", "status": self.status or 500, "headers": raw},
            {"type": "http.response.body", "body": body},
        ]


async def drop_connection(send: Send) -> None:
    """Close the connection with no answer at all, or amid one where the server hides its transport."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
        # The server learns of the loss in the loop's next turn; before that it would still answer.
        await asyncio.sleep(0.05)
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"access', "more_body": True})
