"""A site that wishes the application ill; its pages are written by the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HostileSite:
    """Serves whatever pages it is given; the same server answers by every name of this machine."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = site.pages.get(self.path)
                body = (page or "").encode()
                self.send_response(404 if page is None else 200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]

    @contextmanager
    def running(self) -> Iterator[HostileSite]:
        """Serve until the context ends."""
        thread = threading.Thread(target=self._server.serve_forever, name="hostile site", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def write(self, path: str, body: str) -> None:
        """Put a page there."""
        icon = '<link rel="icon" href="data:,">'
        self.pages[path] = f"<!doctype html><html><head><title>Prizes</title>{icon}</head><body>{body}</body></html>"
