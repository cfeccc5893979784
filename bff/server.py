"""The gateway as a process, or several: uvicorn configured, its HTTP protocol replaced by ours.

Each worker builds its own gateway from the settings; nothing is shared between workers but the listening socket and
what they keep in Redis.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import gc
import logging
import resource
import secrets
import signal
import socket
import sys
import time
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from uvicorn.server import ServerState
from uvicorn.supervisors import Multiprocess

from bff.app import create_app
from bff.gateway import Gateway
from bff.logs import configure_logging, event
from bff.proxy.front import Front
from bff.settings import Settings
from bff.telemetry import serve_metrics

GRACEFUL_SHUTDOWN = 15
"""Seconds that open calls and streams get to end after a stop was asked for."""

BACKLOG = 4096
COLLECTOR_THRESHOLDS = (100_000, 20, 50)
"""A call under way is some fifty objects, none in a cycle: waves of a thousand shall not each set off a search."""

_CANNOT_LISTEN = 1


def serve(settings: Settings) -> None:
    """Run the gateway until it is told to stop by SIGTERM or SIGINT."""
    configure_logging(settings)
    config = uvicorn_config(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal once more when it has shut down; by then there is nothing left to end but us.
        signal.signal(number, _exit)
    # A terminal that is closed is no reason to stop; the parent of several workers takes it as a wish for new ones.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _allow_many_connections()
    listener = _listen(settings)
    if settings.workers > 1:
        Workers(config, sockets=[listener]).run()
    else:
        uvicorn.Server(config).run(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    """Return the listening socket; says why and ends the process if there can be none."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        _cannot_listen("BFF_PORT", f"{settings.host}:{settings.port}", error)
    listener.set_inheritable(True)
    return listener


def _cannot_listen(variable: str, address: str, error: OSError) -> NoReturn:
    reason = errno.errorcode.get(error.errno or 0, type(error).__name__)
    event(logging.ERROR, "listen.failed", address=address, reason=reason, variable=variable)
    sys.exit(_CANNOT_LISTEN)


def _allow_many_connections() -> None:
    """Raise the limit of open files to what the system allows: each call under way needs two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Workers(Multiprocess):
    """The worker processes and the parent that replaces those that die."""

    def terminate_all(self) -> None:
        """Stop the workers; connections that come from now on are refused, not left waiting for nobody."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def uvicorn_config(settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration; it is sent to the worker processes as it is."""
    return uvicorn.Config(
        app=functools.partial(_gateway, settings),
        factory=True,
        interface="asgi3",
        lifespan="on",
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        backlog=BACKLOG,
        loop="uvloop",
        http=_front,  # type: ignore[arg-type]  # a callable that makes the protocol does what its class would do
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
    )


def _gateway(settings: Settings) -> Gateway:
    log_lines = configure_logging(settings)
    gateway = create_app(settings, clock=time.time, random_bytes=secrets.token_bytes, log_lines=log_lines)
    if settings.metrics_port is not None:
        try:
            serve_metrics(settings.metrics_port, gateway.metrics.registry, settings.host)
        except OSError as error:
            _cannot_listen("BFF_METRICS_PORT", f"{settings.host}:{settings.metrics_port}", error)
    # What exists now lives as long as the process; looking through it again and again costs latency for nothing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    # What it has to say the gateway says itself, in its own words.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return gateway


def _front(
    config: uvicorn.Config,
    server_state: ServerState,
    app_state: dict[str, Any],
    _loop: asyncio.AbstractEventLoop | None = None,
) -> Front:
    gateway: Gateway = config.loaded_app
    return Front(gateway.proxy, config, server_state, app_state, _loop)
