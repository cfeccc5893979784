"""What went wrong with Redis, as a stable word for the log; never the server's own text."""

from __future__ import annotations

import ssl
from typing import Final

from redis import exceptions
from redis.asyncio.sentinel import MasterNotFoundError

TIMEOUT: Final = "store.timeout"
UNREACHABLE: Final = "store.unreachable"
TLS: Final = "store.tls"
NO_MASTER: Final = "store.no_master"
READONLY: Final = "store.readonly"
BUSY: Final = "store.busy"
CIRCUIT_OPEN: Final = "store.circuit_open"
CLOSED: Final = "store.closed"
PROTOCOL: Final = "store.protocol"
REFUSED: Final = "store.refused"

FOREIGN_ERRORS: Final = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
"""Everything that redis-py, and the sockets below it, raise when something is wrong with the server."""

_CODES: Final = frozenset({
    "ASK", "BUSY", "CLUSTERDOWN", "CROSSSLOT", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NOAUTH", "NOPERM",
    "NOREPLICAS", "NOSCRIPT", "OOM", "READONLY", "TRYAGAIN", "WRONGPASS", "WRONGTYPE",
})  # fmt: skip

_WITHOUT_CODE: Final[tuple[tuple[type[BaseException], str], ...]] = (
    # A class stands before those it derives from.
    (exceptions.MaxConnectionsError, BUSY),
    (exceptions.AuthenticationError, "store.wrongpass"),
    (exceptions.SlotNotCoveredError, "store.clusterdown"),
    (exceptions.RedisClusterException, UNREACHABLE),
    (exceptions.TimeoutError, TIMEOUT),
    (TimeoutError, TIMEOUT),
    (MasterNotFoundError, NO_MASTER),
    (exceptions.ConnectionError, UNREACHABLE),
    (exceptions.RedisError, REFUSED),
    (OSError, UNREACHABLE),
)


def reason_of(error: BaseException) -> str:
    """Return the word for an exception among `FOREIGN_ERRORS`."""
    if isinstance(error.__cause__ or error.__context__, ssl.SSLError):
        return TLS
    code = getattr(error, "status_code", None) or str(error).partition(" ")[0]
    if code in _CODES:
        return reason_of_code(code)
    return next(reason for kind, reason in _WITHOUT_CODE if isinstance(error, kind))


def reason_of_code(code: str) -> str:
    """Return the word for the first word of an error reply."""
    return f"store.{code.lower()}" if code in _CODES else REFUSED


def is_silence(reason: str) -> bool:
    """Whether the server gave no answer at all: what opens the circuit."""
    return reason in {TIMEOUT, UNREACHABLE, TLS, NO_MASTER}
