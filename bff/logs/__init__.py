"""The log: one line per event and per request on one stream, and no way for a secret to get into it.

An event has a constant name and fields from a closed list. Of an exception the log tells types and places, never its
text; of a library's record it tells logger and place, never the message: both may quote what passed through.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final, TextIO

from bff.logs.access import AccessLog
from bff.logs.lines import LineWriter
from bff.logs.records import FIELDS, EventFormatter, Field, LineHandler

if TYPE_CHECKING:
    from bff.settings import Settings

__all__ = ["FIELDS", "AccessLog", "LineWriter", "configure_logging", "event"]

# These would log URLs with their queries, verifiers, or every request.
_QUIET: Final = (
    "asyncio",
    "authlib",
    "httpcore2",
    "httpx2",
    "joserfc",
    "redis",
    "uvicorn",
    "uvicorn.error",
    "websockets",
)
_SILENT: Final = ("uvicorn.access",)

_logger = logging.getLogger("bff")


def event(level: int, name: str, **fields: Field) -> None:
    """Log an event under a constant, dotted name; of fields that are not in `FIELDS` only the names are logged."""
    if _logger.isEnabledFor(level):
        _logger.log(level, name, extra={"event_fields": fields})


def configure_logging(settings: Settings, stream: TextIO | None = None) -> LineWriter:
    """Send the log of this process to `stream`, by default stderr, and keep libraries from logging what passes by.

    Returns the writer, which `AccessLog` shares so that the order of lines is kept. May be called again.
    """
    _logger.setLevel(settings.log_level.upper())
    writer = LineWriter(sys.stderr if stream is None else stream, takes_requests=_logger.isEnabledFor(logging.INFO))
    handler = LineHandler(writer)
    handler.setFormatter(EventFormatter(settings.log_format))
    root = logging.getLogger()
    for logger in (root, _logger):
        for former in [known for known in logger.handlers if isinstance(known, LineHandler)]:
            logger.removeHandler(former)
        logger.addHandler(handler)
    _logger.propagate = False
    root.setLevel(logging.WARNING)
    for name in _QUIET:
        library = logging.getLogger(name)
        library.setLevel(max(logging.WARNING, _logger.level))
        library.handlers.clear()
        library.propagate = True
    for name in _SILENT:
        logging.getLogger(name).disabled = True
    return writer
