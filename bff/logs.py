"""The log: one line per event and per request on one stream, and no way for a secret to get into it.

An event has a constant name and fields from a closed list. Of an exception the log tells types and places, never its
text; of a library's record it tells logger and place, never the message: both may quote what passed through.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, TextIO

if TYPE_CHECKING:
    from bff.settings import Settings

Field = str | int | float | bool | None

FIELDS: Final = frozenset(
    {
        "address", "attempt", "client", "code", "count", "error", "explanation", "issuer", "kind", "method", "outcome",
        "path", "process", "reason", "request_id", "route", "seconds", "state_age", "status", "store", "upstream",
        "variable", "version", "worker",
    }
)  # fmt: skip
"""The names a field of an event may have; none is for anything that a browser or a provider keeps secret."""

_MOST_CHARACTERS: Final = 500
_MOST_FRAMES: Final = 12
_MOST_CAUSES: Final = 5
_FLUSH_INTERVAL: Final = 0.2
_FLUSH_LINES: Final = 64
# These would log URLs with their queries, verifiers, or every request.
_QUIET: Final = ("asyncio", "authlib", "httpcore2", "httpx2", "joserfc", "redis", "uvicorn", "uvicorn.error", "websockets")
_SILENT: Final = ("uvicorn.access",)

_logger = logging.getLogger("bff")


def event(level: int, name: str, **fields: Field) -> None:
    """Log an event under a constant, dotted name; of fields that are not in `FIELDS` only the names are logged."""
    if _logger.isEnabledFor(level):
        _logger.log(level, name, extra={"event_fields": fields})


class LineWriter:
    """Lines on their way to a stream: events at once, access lines in batches, all in the order in which they came.

    A stream that fails loses lines; it never fails a request.
    """

    def __init__(self, stream: TextIO) -> None:
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


class LineHandler(logging.Handler):
    """Hands formatted records to a `LineWriter`."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as one line."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 -- a record that cannot be formatted must not fail its caller
            line = "{}"
        self._writer.write(f"{line}\n")


class EventFormatter(logging.Formatter):
    """One line per record, as JSON or as text; ASCII without control characters in both."""

    def __init__(self, form: Literal["json", "text"]) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without line break."""
        members = _members(record)
        if self._form == "json":
            return json.dumps(members)
        moment, level, name = members.pop("time"), members.pop("level"), members.pop("event")
        fields = "".join(f" {key}={_as_text(value)}" for key, value in members.items())
        return f"{moment} {level} {name}{fields}"


def configure_logging(settings: Settings, stream: TextIO | None = None) -> LineWriter:
    """Send the log of this process to `stream`, by default stderr, and keep libraries from logging what passes by.

    Returns the writer, which `AccessLog` shares so that the order of lines is kept. May be called again.
    """
    writer = LineWriter(sys.stderr if stream is None else stream)
    handler = LineHandler(writer)
    handler.setFormatter(EventFormatter(settings.log_format))
    root = logging.getLogger()
    for logger in (root, _logger):
        for former in [known for known in logger.handlers if isinstance(known, LineHandler)]:
            logger.removeHandler(former)
        logger.addHandler(handler)
    _logger.propagate = False
    _logger.setLevel(settings.log_level.upper())
    root.setLevel(logging.WARNING)
    for name in _QUIET:
        library = logging.getLogger(name)
        library.setLevel(max(logging.WARNING, _logger.level))
        library.handlers.clear()
        library.propagate = True
    for name in _SILENT:
        logging.getLogger(name).disabled = True
    return writer


def timestamp(seconds: float) -> str:
    """Return a time in seconds since the epoch as RFC 3339 in UTC with milliseconds."""
    whole = int(seconds)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int((seconds - whole) * 1000):03d}Z"


def escaped(text: str) -> str:
    """Return text as the inside of a JSON string: ASCII without control characters, quotes escaped."""
    return json.dumps(text[:_MOST_CHARACTERS])[1:-1]


def _members(record: logging.LogRecord) -> dict[str, object]:
    members: dict[str, object] = {"time": timestamp(record.created), "level": record.levelname.lower()}
    if record.name == "bff" or record.name.startswith("bff."):
        members["event"] = str(record.msg)[:_MOST_CHARACTERS]
    else:
        members |= {"event": "library", "logger": record.name, "at": f"{record.module}.{record.funcName}:{record.lineno}"}
    unlisted = []
    fields: dict[str, Field] = getattr(record, "event_fields", {})
    for name, value in fields.items():
        if name not in FIELDS:
            unlisted.append(name)
        elif isinstance(value, str):
            members[name] = value[:_MOST_CHARACTERS]
        elif value is not None:
            members[name] = value if isinstance(value, int | float) else type(value).__name__
    if unlisted:
        members["unlisted"] = " ".join(unlisted)
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        members |= _failure(error)
    return members


def _failure(error: BaseException) -> dict[str, object]:
    """Return the types of an exception and of its causes, and where it was raised; nothing of what it says."""
    types: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(types) < _MOST_CAUSES:
        types.append(type(cause).__name__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    frames = [
        f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_name}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return {"error": " < ".join(types), "trace": frames[-_MOST_FRAMES:]}


def _as_text(value: object) -> str:
    if isinstance(value, list):
        value = " > ".join(map(str, value))
    if not isinstance(value, str):
        return json.dumps(value)
    return f'"{escaped(value)}"' if not value or not value.isascii() or " " in value or '"' in value else escaped(value)


class AccessLog:
    """One line for each request; `form` is `json` or `text`, `clock` tells seconds since the epoch.

    What repeats is kept ready: the second, the part of each route and method, the part of each client.
    """
