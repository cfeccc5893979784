"""A TLS end in front of a plain port: bytes in, bytes out."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.server_certificates import server_certificate


@contextmanager
def tls_front(directory: Path, host: str, port: int, plain_port: int) -> Iterator[None]:
    """Accept TLS for `host` on 127.0.0.1:`port`, with a certificate nobody trusts, for what listens on `plain_port`."""
    _, certificate = server_certificate(directory, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", port))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=_serve, args=(context, connection, plain_port), daemon=True).start()

    thread = threading.Thread(target=accept, name="TLS front", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _serve(context: ssl.SSLContext, connection: socket.socket, plain_port: int) -> None:
    with (
        contextlib.suppress(OSError),
        connection,
        socket.create_connection(("127.0.0.1", plain_port)) as plain,
        context.wrap_socket(connection, server_side=True) as secure,
    ):
        back = threading.Thread(target=_copy, args=(plain, secure), daemon=True)
        back.start()
        _copy(secure, plain)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
