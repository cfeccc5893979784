"""The access log: one line for each request, made of parts that are kept ready, for it is written on the hot path."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TextIO

from bff.logs.lines import Form, LineWriter, escaped

_MOST_REMEMBERED: Final = 4096
_LONGEST_PATH: Final = 2048


@dataclass(frozen=True, slots=True)
class _Layout:
    """The parts of a line."""

    line: str
    call: str
    upstream: str
    code: str


_LAYOUTS: Final[dict[Form, _Layout]] = {
    "json": _Layout(
        line='{"time":"%s.%03dZ","level":"info","event":"request",%s,"path":"%s","status":%d,"bytes":%d'
        ',"duration_ms":%.3f%s,"client":"%s","request_id":"%s"%s}\n',
        call='"method":"%s","route":"%s"',
        upstream=',"upstream_ms":%.3f',
        code=',"code":"%s"',
    ),
    "text": _Layout(
        line="%s.%03dZ info request %s path=%s status=%d bytes=%d duration_ms=%.3f%s client=%s request_id=%s%s\n",
        call="method=%s route=%s",
        upstream=" upstream_ms=%.3f",
        code=" code=%s",
    ),
}

# Visible ASCII that means itself inside a JSON string.
_plain_path = re.compile(rb"[!#-\[\]-~]{0,2048}").fullmatch


class AccessLog:
    """Writes the line of each request to `stream`; `clock` tells seconds since the epoch.

    Written are method, path without query, status, size, durations, client, route, request id and error code, and
    nothing else of a request. Lines wait for a moment; `flush` at shutdown.
    """

    def __init__(self, stream: LineWriter | TextIO, form: Form, clock: Callable[[], float]) -> None:
        self.writer = stream if isinstance(stream, LineWriter) else LineWriter(stream)
        self._layout = _LAYOUTS[form]
        self._clock = clock
        self._second = -1
        self._moment = ""
        self._calls: dict[tuple[str, str], str] = {}
        self._clients: dict[str, str] = {}

    def write(
        self,
        request_id: str,
        route: str,
        method: str,
        path: bytes | str,
        status: int,
        sent: int,
        duration_ms: float,
        upstream_ms: float | None,
        client: str,
        code: str | None,
    ) -> None:
        """Write the line of a finished request: `path` without query, `sent` the bytes of the answer's body.

        `upstream_ms` is None if no upstream was asked, `code` None if the gateway itself refused nothing.
        """
        if not self.writer.takes_requests:
            return
        milliseconds = int(self._clock() * 1000)
        second = milliseconds // 1000
        if second != self._second:
            self._second = second
            self._moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        layout = self._layout
        raw = path if isinstance(path, bytes) else path.encode("utf-8", "surrogatepass")
        self.writer.append(
            layout.line
            % (
                self._moment,
                milliseconds % 1000,
                self._calls.get((method, route)) or self._remember_call(method, route),
                raw.decode("ascii") if _plain_path(raw) is not None else _escaped_path(raw),
                status,
                sent,
                duration_ms,
                "" if upstream_ms is None else layout.upstream % upstream_ms,
                self._clients.get(client) or self._remember_client(client),
                request_id if request_id.isalnum() and request_id.isascii() else escaped(request_id),
                "" if code is None else layout.code % escaped(code),
            )
        )

    def flush(self) -> None:
        """Write the lines that wait; to be called at shutdown."""
        self.writer.flush()

    def _remember_call(self, method: str, route: str) -> str:
        part = self._layout.call % (escaped(method), escaped(route))
        if len(self._calls) < _MOST_REMEMBERED:
            self._calls[method, route] = part
        return part

    def _remember_client(self, client: str) -> str:
        part = escaped(client)
        if len(self._clients) >= _MOST_REMEMBERED:
            self._clients.clear()
        self._clients[client] = part
        return part


def _escaped_path(path: bytes) -> str:
    """Return a path that is not plain as the inside of a JSON string, cut if it is very long."""
    text = path[:_LONGEST_PATH].decode("utf-8", "backslashreplace")
    return json.dumps(text)[1:-1] + ("..." if len(path) > _LONGEST_PATH else "")
