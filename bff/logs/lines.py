"""Lines on their way to a stream, in the order in which they came."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Final, Literal, TextIO

Form = Literal["json", "text"]

MOST_CHARACTERS: Final = 500
_FLUSH_INTERVAL: Final = 0.2
_FLUSH_LINES: Final = 64


class LineWriter:
    """Lines on their way to a stream: events at once, access lines in batches, all in the order in which they came.

    A stream that fails loses lines; it never fails a request. `takes_requests` is False where the log's level leaves
    the lines of requests out.
    """

    def __init__(self, stream: TextIO, *, takes_requests: bool = True) -> None:
        self.takes_requests = takes_requests
        self._stream = stream
        self._lines: list[str] = []
        self._is_scheduled = False

    def append(self, line: str) -> None:
        """Write a line soon: with others, at the latest after 0.2 seconds; at once outside an event loop."""
        lines = self._lines
        lines.append(line)
        if not self._is_scheduled:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self.flush()
            else:
                self._is_scheduled = True
                loop.call_later(_FLUSH_INTERVAL, self._flush_on_time)
        elif len(lines) >= _FLUSH_LINES:
            self.flush()

    def write(self, line: str) -> None:
        """Write a line now, after those that wait."""
        self._lines.append(line)
        self.flush()

    def flush(self) -> None:
        """Write what waits; to be called at shutdown."""
        lines, self._lines = self._lines, []
        if lines:
            with contextlib.suppress(OSError, ValueError):
                self._stream.write("".join(lines))
                self._stream.flush()

    def _flush_on_time(self) -> None:
        self._is_scheduled = False
        self.flush()


def timestamp(seconds: float) -> str:
    """Return a time in seconds since the epoch as RFC 3339 in UTC with milliseconds."""
    milliseconds = int(seconds * 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(milliseconds // 1000))}.{milliseconds % 1000:03d}Z"


def escaped(text: str) -> str:
    """Return text as the inside of a JSON string: ASCII without control characters, quotes escaped."""
    return json.dumps(text[:MOST_CHARACTERS])[1:-1]
