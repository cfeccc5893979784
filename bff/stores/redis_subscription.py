"""Endings that other instances announce: heard over one connection that does nothing else.

    connecting ──► SUBSCRIBE ──► confirmed: `hearing` ──► announcements
        ▲                                                     │ broken, silent, or refused
        └───────────────── a pause ◄── `deaf` ◄───────────────┘

A connection whose other end has vanished looks like one over which nothing happens, so the server is pinged all the
time, and a connection that has not answered `PATIENCE` pings in a row is given up.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

from redis import exceptions

from bff.session.store import EndListener
from bff.stores.redis_connections import OpenConnection
from bff.stores.redis_faults import FOREIGN_ERRORS, PROTOCOL, is_silence, reason_of
from bff.stores.redis_scripts import decode_ending

PING_INTERVAL: Final = 0.5
PATIENCE: Final = 2
RETRY_PAUSE: Final = 0.5
REFUSED_PAUSE: Final = 15.0
"""Seconds until a server that answered and refused is asked again: that is for its operator to change."""


class Subscription:
    """Announcements on one channel, told to one listener."""

    def __init__(self, connect: Callable[[], Awaitable[OpenConnection]], channel: str, listener: EndListener) -> None:
        self._connect = connect
        self._channel = channel
        self._listener = listener
        self._silence = 0
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Hear no more, and close the connection."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                connection = await self._connect()
                try:
                    await self._listen(connection)
                finally:
                    await connection.disconnect(nowait=True)
            except Exception as error:  # noqa: BLE001 -- whatever went wrong, nobody may believe that all is heard
                reason = reason_of(error) if isinstance(error, FOREIGN_ERRORS) else PROTOCOL
                self._listener.deaf(reason)
                await asyncio.sleep(RETRY_PAUSE if is_silence(reason) else REFUSED_PAUSE)

    async def _listen(self, connection: OpenConnection) -> None:
        """Hear announcements until the connection fails; raises what redis-py raises."""
        await connection.send_command("SUBSCRIBE", self._channel)
        reading = asyncio.create_task(self._read(connection))
        self._silence = 0
        try:
            while not reading.done():
                if self._silence == PATIENCE:
                    raise exceptions.TimeoutError
                self._silence += 1
                await connection.send_command("PING")
                await asyncio.wait([reading], timeout=PING_INTERVAL)
            await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, connection: OpenConnection) -> None:
        while True:
            reply: Any = await connection.read_response(timeout=math.inf)
            self._silence = 0
            match reply:
                case [b"subscribe", *_]:
                    self._listener.hearing()
                case [b"message", _, bytes() as message]:
                    ending = decode_ending(message)
                    if ending is not None:
                        self._listener.session_ended(*ending)
