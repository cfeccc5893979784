"""From a log record to a line: of an exception types and places, of a library's record its logger and place."""

from __future__ import annotations

import json
import logging
import traceback
from typing import Final

from bff.logs.lines import MOST_CHARACTERS, Form, LineWriter, escaped, timestamp

Field = str | int | float | bool | None

FIELDS: Final = frozenset(
    {
        "address", "attempt", "client", "code", "count", "error", "explanation", "issuer", "kind", "method", "outcome",
        "path", "process", "reason", "request_id", "route", "seconds", "status", "store", "upstream", "variable",
        "version", "worker",
    }
)  # fmt: skip
"""The names a field of an event may have; none is for anything that a browser or a provider keeps secret."""

_MOST_FRAMES: Final = 12
_MOST_CAUSES: Final = 5


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

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without line break."""
        members = _members(record)
        if self._form == "json":
            return json.dumps(members, separators=(",", ":"))
        moment, level, name = members.pop("time"), members.pop("level"), members.pop("event")
        fields = "".join(f" {key}={_as_text(value)}" for key, value in members.items())
        return f"{moment} {level} {name}{fields}"


def _members(record: logging.LogRecord) -> dict[str, object]:
    members: dict[str, object] = {"time": timestamp(record.created), "level": record.levelname.lower()}
    if record.name == "bff" or record.name.startswith("bff."):
        members["event"] = str(record.msg)[:MOST_CHARACTERS]
    else:
        members |= {
            "event": "library",
            "logger": record.name,
            "at": f"{record.module}.{record.funcName}:{record.lineno}",
        }
    unlisted = []
    fields: dict[str, Field] = getattr(record, "event_fields", {})
    for name, value in fields.items():
        if name not in FIELDS:
            unlisted.append(name)
        elif isinstance(value, str):
            members[name] = value[:MOST_CHARACTERS]
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
