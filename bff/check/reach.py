"""Whether a host takes connections: TCP, then TLS as the gateway does it, and not one byte more."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

CONNECT_LIMIT: Final = 5.0
"""Seconds for name, connection and TLS together; as long as the proxy gives an upstream."""

_CLOSE_LIMIT: Final = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """A host and port, by TLS or not; `hostname` is without brackets."""

    hostname: str
    port: int
    is_secure: bool

    def __str__(self) -> str:
        host = f"[{self.hostname}]" if ":" in self.hostname else self.hostname
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reached:
    """A connection that was made: `seconds` it took; when the certificate ends, in seconds since the epoch."""

    seconds: float
    certificate_ends_at: float | None


class Unreachable(Exception):
    """No connection: `seen` says why in words, `is_trust` whether the certificate is what is wrong."""

    def __init__(self, seen: str, *, is_trust: bool = False) -> None:
        super().__init__(seen)
        self.seen = seen
        self.is_trust = is_trust


Connect = Callable[[Place], Awaitable[Reached]]
"""Connects, and closes again; raises `Unreachable`."""


async def reach(place: Place, tls: ssl.SSLContext) -> Reached:
    """Connect with TLS as the gateway does, and close again; raises `Unreachable`."""
    started_at = time.monotonic()
    try:
        async with asyncio.timeout(CONNECT_LIMIT):
            _, writer = await asyncio.open_connection(place.hostname, place.port, ssl=tls if place.is_secure else None)
    except TimeoutError:
        raise Unreachable(f"gave no answer within {CONNECT_LIMIT:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"has a certificate that is not accepted ({error.verify_message})", is_trust=True) from None
    except ssl.SSLError:
        raise Unreachable("answers, but not in TLS") from None
    except socket.gaierror:
        raise Unreachable("has a name that cannot be resolved") from None
    except ConnectionRefusedError:
        raise Unreachable("refuses connections: nothing listens there") from None
    except OSError as error:
        raise Unreachable(f"cannot be connected to ({(error.strerror or type(error).__name__).lower()})") from None
    seconds = time.monotonic() - started_at
    certificate = writer.get_extra_info("peercert") or {}
    await _close(writer)
    return Reached(seconds, _ends_at(certificate))


def _ends_at(certificate: dict[str, str]) -> float | None:
    ends = certificate.get("notAfter")
    return None if ends is None else float(ssl.cert_time_to_seconds(ends))


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(_CLOSE_LIMIT):
            await writer.wait_closed()
    except OSError:
        # Nothing was sent, so nothing is lost; a peer that does not say goodbye is cut off.
        writer.transport.abort()
