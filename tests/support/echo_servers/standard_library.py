"""Answers with what Python's `http.server` understood of a request: JSON, every text in base64.

It knows no chunks: a body is read by its length.
"""

from __future__ import annotations

import base64
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def _text(value: str) -> str:
    return base64.b64encode(value.encode("latin-1")).decode()


class Handler(BaseHTTPRequestHandler):
    """Answers every method."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        understood = {
            "method": _text(self.command),
            "target": _text(self.path),
            "fields": [[_text(name), _text(value)] for name, value in self.headers.items()],
            "body": base64.b64encode(body).decode(),
        }
        content = json.dumps(understood).encode() if self.command != "HEAD" else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815 -- called so

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 -- called so
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
