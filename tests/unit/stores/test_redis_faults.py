"""Every trouble with Redis has a word of its own, and none of them repeats what the server said."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from redis import exceptions
from redis._parsers.base import BaseParser
from redis.asyncio.sentinel import MasterNotFoundError

from bff.stores.redis_faults import FOREIGN_ERRORS, is_silence, reason_of, reason_of_code


@pytest.mark.parametrize(
    "reply, reason",
    [
        ("LOADING Valkey is loading the dataset in memory", "store.loading"),
        ("READONLY You can't write against a read only replica.", "store.readonly"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "store.oom"),
        ("CLUSTERDOWN The cluster is down", "store.clusterdown"),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", "store.masterdown"),
        ("MOVED 3999 127.0.0.1:6381", "store.moved"),
        ("ASK 3999 127.0.0.1:6381", "store.ask"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", "store.tryagain"),
        ("CROSSSLOT Keys in request don't hash to the same slot", "store.crossslot"),
        ("NOAUTH Authentication required.", "store.noauth"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "store.wrongpass"),
        ("NOPERM User bff has no permissions to run the 'set' command", "store.noperm"),
        ("NOSCRIPT No matching script.", "store.noscript"),
        ("MISCONF Errors writing to the AOF file", "store.misconf"),
        ("NOREPLICAS Not enough good replicas to write.", "store.noreplicas"),
        ("BUSY Valkey is busy running a script.", "store.busy"),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", "store.wrongtype"),
        ("ERR unknown command 'secret'", "store.refused"),
        ("ERR AUTH <password> called without any password configured", "store.refused"),
        ("secret", "store.refused"),
    ],
)
def test_an_error_reply_is_named_by_its_code(reply: str, reason: str) -> None:
    parser: Any = BaseParser
    error = parser.parse_error(reply)
    assert isinstance(error, FOREIGN_ERRORS)
    assert reason_of(error) == reason
    assert reason_of_code(reply.partition(" ")[0]) == reason
    assert not is_silence(reason), "a server that answers is there"


def without_trust(link: str) -> exceptions.ConnectionError:
    """Return what redis-py makes of a TLS handshake that failed."""
    error = exceptions.ConnectionError("secret")
    setattr(error, link, ssl.SSLCertVerificationError("secret"))
    return error


@pytest.mark.parametrize(
    "error, reason, is_silent",
    [
        (exceptions.TimeoutError("secret"), "store.timeout", True),
        (TimeoutError("secret"), "store.timeout", True),
        (exceptions.ConnectionError("secret"), "store.unreachable", True),
        (ConnectionRefusedError("secret"), "store.unreachable", True),
        (exceptions.RedisClusterException("secret"), "store.unreachable", True),
        (MasterNotFoundError("secret"), "store.no_master", True),
        (without_trust("__cause__"), "store.tls", True),
        (without_trust("__context__"), "store.tls", True),
        (ssl.SSLError("secret"), "store.unreachable", True),
        (exceptions.SlotNotCoveredError("secret"), "store.clusterdown", False),
        (exceptions.MaxConnectionsError("secret"), "store.busy", False),
        (exceptions.AuthenticationError("secret"), "store.wrongpass", False),
        (exceptions.ClusterError("secret"), "store.refused", False),
        (exceptions.InvalidResponse("secret"), "store.refused", False),
    ],
)
def test_an_error_without_a_code_is_named_by_its_class(error: Exception, reason: str, is_silent: bool) -> None:
    assert isinstance(error, FOREIGN_ERRORS)
    assert reason_of(error) == reason
    assert is_silence(reason) is is_silent
