"""The gateway as a process, or several: uvicorn configured, its HTTP protocol replaced by ours.

Each worker builds its own gateway from the settings; nothing is shared between workers but the listening socket and
what they keep in Redis.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import secrets
import signal
import sys
import time
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.server import ServerState
from uvicorn.supervisors import Multiprocess

from bff.app import Gateway, create_app
from bff.logs import configure_logging
from bff.proxy.front import Front
from bff.settings import Settings
from bff.telemetry import serve_metrics

GRACEFUL_SHUTDOWN = 20
"""Seconds that open calls and streams get to end after a stop was asked for."""

BACKLOG = 4096


def serve(settings: Settings) -> None:
    """Run the gateway until it is told to stop by SIGTERM or SIGINT."""
    configure_logging(settings)
    config = uvicorn_config(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal once more when it has shut down; by then there is nothing left to end but us.
        signal.signal(number, _exit)
    if settings.workers > 1:
        Workers(config, sockets=[config.bind_socket()]).run()
    else:
        uvicorn.Server(config).run()


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
        serve_metrics(settings.metrics_port, gateway.metrics.registry, settings.host)
    # What exists now lives as long as the process; looking through it again and again costs latency for nothing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return gateway


def _front(
    config: uvicorn.Config,
    server_state: ServerState,
    app_state: dict[str, Any],
    _loop: asyncio.AbstractEventLoop | None = None,
) -> Front:
    gateway: Gateway = config.loaded_app
    return Front(gateway.proxy, config, server_state, app_state, _loop)
