"""What was asked on a connection, and what became of it, read from the bytes that were written."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.support.raw_http import Malformed, Message, Stream, read_answer, read_request


@dataclass
class Asked:
    """One request as a browser sent it."""

    method: bytes
    target: bytes
    body: bytes
    is_proxied: bool

    @property
    def echo(self) -> bytes:
        """What the upstream answers to it."""
        return b"%b|%b" % (self.target, self.body)


async def messages(data: bytes, *, asked: list[Asked] | None = None) -> tuple[list[Message], bool]:
    """Return the complete requests in the bytes, or the final answers to what was asked, and whether more began."""
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    stream = Stream(reader)
    found: list[Message] = []
    try:
        while True:
            if asked is None:
                message = await read_request(stream)
            else:
                to_head = len(found) < len(asked) and asked[len(found)].method == b"HEAD"
                message = await read_answer(stream, to_head=to_head)
            if message is None:
                return found, False
            if asked is None or message.status >= 200:
                found.append(message)
    except Malformed as error:
        if "ended within" not in str(error):
            raise
        return found, True
