"""The realms of `tests.support.lying_provider` on a socket of this machine."""

from __future__ import annotations

import contextlib
import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.support.leaks import Ledger
from tests.support.lies import Answer
from tests.support.lying_provider import Realm
from tests.support.realm_log import Asked

AnyRealm = TypeVar("AnyRealm", bound=Realm)

LONGEST_HANG = 60.0
DRIP_INTERVAL = 0.5


class RealmServer:
    """Serves every realm made with `realm`; `url` is its origin."""

    def __init__(self, ledger: Ledger, tls: ssl.SSLContext | None = None) -> None:
        self._ledger = ledger
        self._realms: dict[str, Realm] = {}
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def realm(self, path: str = "", /, **metadata: Any) -> Realm:
        """A new issuer at this path, which may end in a slash, with changed metadata."""
        realm = Realm(f"{self.url}{path}", self._ledger)
        realm.metadata = metadata
        return self.add(path, realm)

    def add(self, path: str, realm: AnyRealm) -> AnyRealm:
        """Serve this realm at the path, which its issuer ends in."""
        self._realms[path.removesuffix("/")] = realm
        return realm

    @property
    def faults(self) -> list[str]:
        """What no client should have sent, over all realms."""
        return [f"{path}: {fault}" for path, realm in self._realms.items() for fault in realm.faults]

    def answer(self, asked: Asked) -> Answer:
        """Answer for the realm whose path is the longest beginning of the request's."""
        paths = [path for path in self._realms if asked.path.startswith(f"{path}/")]
        if not paths:
            return Answer(404)
        path = max(paths, key=len)
        realm = self._realms[path]
        asked = replace(asked, path=asked.path[len(path) :])
        try:
            return realm.answer(asked)
        except Exception as fault:  # noqa: BLE001 (a request that an honest client would not make)
            realm.faults.append(f"{asked.path}: {fault!r}")
            return Answer(500)

    def hang(self) -> None:
        """Return when the server closes, or much later."""
        self._closing.wait(LONGEST_HANG)

    def is_closing(self, *, after: float) -> bool:
        """Wait so many seconds; whether the server closes."""
        return self._closing.wait(after)

    @contextmanager
    def running(self) -> Iterator[RealmServer]:
        """Serve while the block runs."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._closing.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: RealmServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that goes away is none of the provider's business."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, *arguments: object) -> None:
        """Stay silent: the realms remember what matters."""

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        is_secure = isinstance(self.connection, ssl.SSLSocket)
        certificate = self.connection.getpeercert(binary_form=True) if is_secure else None
        answer = self.server.owner.answer(Asked(self.command, parts.path, parts.query, headers, body, certificate))
        if answer.hangs:
            self.server.owner.hang()
            self.close_connection = True
            return
        # A client that kept cookies would mix its users up.
        cookie = f"Set-Cookie: provider={secrets.token_urlsafe(24)}; Path=/"
        head = [f"HTTP/1.1 {answer.status} X", cookie, *(f"{name}: {value}" for name, value in answer.headers)]
        if answer.content_type is not None:
            head.append(f"Content-Type: {answer.content_type}")
        head.append(f"Content-Length: {len(answer.body)}")
        data = "\r\n".join([*head, "", ""]).encode() + answer.body
        if answer.raw is not None or answer.drips:
            self.close_connection = True
            self._drip(data) if answer.drips else self.wfile.write(answer.raw or b"")
            return
        if answer.cut is not None:
            self.close_connection = True
            data = data[: data.index(b"\r\n\r\n") + 4 + answer.cut] if answer.cut else b""
        self.wfile.write(data)
        if answer.cut is not None:
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def _drip(self, data: bytes) -> None:
        start = data.index(b"\r\n\r\n") + 4
        self.wfile.write(data[:start])
        for position in range(start, len(data)):
            self.wfile.write(data[position : position + 1])
            if self.server.owner.is_closing(after=DRIP_INTERVAL):
                return
