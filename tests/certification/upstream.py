"""The API behind the gateway during certification: it answers 200 and remembers what reached it."""

from __future__ import annotations

import dataclasses
import http.server
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


@dataclasses.dataclass(frozen=True, slots=True)
class ApiCall:
    path: str
    authorization: str | None
    cookie: str | None


class Upstream:
    """A loopback HTTP server on a port of the system's choice."""

    def __init__(self) -> None:
        self.calls: list[ApiCall] = []
        calls = self.calls

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                calls.append(ApiCall(self.path, self.headers["Authorization"], self.headers["Cookie"]))
                body = b'{"answered": true}'
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Stay silent: the calls are kept above."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
