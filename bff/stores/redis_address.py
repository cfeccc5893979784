"""Where Redis is: the one URL of the settings, read into a value.

     redis://[user:password@]host[:6379][/database]                    one server         rediss:// with TLS
     unix:///path/to/socket[?db=0&username=&password=]                 one server
     redis+sentinel://[user:password@]host[:26379],host,…/service[/database]
                      [?sentinel_username=&sentinel_password=]         the master          rediss+sentinel://
     redis+cluster://[user:password@]host[:6379],host,…                all masters         rediss+cluster://

`valkey` may be written for `redis` everywhere. User, password and path are percent-decoded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

DEFAULT_PORT: Final = 6379
DEFAULT_SENTINEL_PORT: Final = 26379

_SCHEME: Final = re.compile(r"(?:(?:redis|valkey)(s?)(?:\+(sentinel|cluster))?|(?:(?:redis|valkey)\+)?(unix))")
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:/]+))(?::([0-9]{1,5}))?")


class Topology(Enum):
    """How the servers behind the URL hang together."""

    SERVER = "server"
    UNIX = "unix"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """The parsed URL; `hosts` are the server, the Sentinels, or some nodes of the cluster."""

    topology: Topology
    is_tls: bool = False
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)


def parse_redis_address(url: str) -> RedisAddress:
    """Return what the URL says; raises `ValueError` with the rule that was broken, never with a part of the URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("is not a URL") from None
    scheme = _SCHEME.fullmatch(parts.scheme)
    if scheme is None:
        raise ValueError("has an unknown scheme")
    if parts.fragment:
        raise ValueError("has a fragment; a # in a password is written %23")
    credentials, _, network = parts.netloc.rpartition("@")
    username, password = _credentials(credentials)
    is_tls, kind, is_unix = scheme.group(1) == "s", scheme.group(2), scheme.group(3) is not None
    if is_unix:
        return _unix(parts, network, username, password)
    topology = Topology(kind) if kind else Topology.SERVER
    options = _options(parts.query, {"sentinel_username", "sentinel_password"} if kind == "sentinel" else set())
    hosts = tuple(_host(host, topology) for host in network.split(","))
    segments = [unquote(segment) for segment in parts.path.split("/") if segment]
    service = ""
    if topology is Topology.SERVER and len(hosts) != 1:
        raise ValueError("names several hosts; that needs +sentinel or +cluster in the scheme")
    if topology is Topology.SENTINEL:
        if not segments:
            raise ValueError("lacks the name of the Sentinel service: /service")
        service = segments.pop(0)
    if topology is Topology.CLUSTER and segments:
        raise ValueError("has a path; a cluster has one database only")
    if len(segments) > 1:
        raise ValueError("has a path of too many parts")
    return RedisAddress(
        topology,
        is_tls=is_tls,
        hosts=hosts,
        service=service,
        database=_database(segments[0]) if segments else 0,
        username=username,
        password=password,
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
    )


def _unix(parts: SplitResult, network: str, username: str | None, password: str | None) -> RedisAddress:
    path = unquote(parts.path)
    if network or not path.startswith("/"):
        raise ValueError("needs the absolute path of the socket: unix:///path")
    options = _options(parts.query, {"db", "username", "password"})
    return RedisAddress(
        Topology.UNIX,
        path=path,
        database=_database(options.get("db", "0")),
        username=options.get("username", username),
        password=options.get("password", password),
    )


def _credentials(text: str) -> tuple[str | None, str | None]:
    if not text:
        return None, None
    username, separator, password = text.partition(":")
    if not separator:
        raise ValueError("has a user without a password; a password alone is written :password@")
    return unquote(username) or None, unquote(password)


def _host(text: str, topology: Topology) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    if match is None:
        raise ValueError("has a host that is not host or host:port")
    default = DEFAULT_SENTINEL_PORT if topology is Topology.SENTINEL else DEFAULT_PORT
    port = int(match.group(3) or default)
    if not 0 < port < 65536:
        raise ValueError("has a port outside 1 to 65535")
    return match.group(1) or match.group(2), port


def _database(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,5}", text) is None:
        raise ValueError("has a database that is not a number")
    return int(text)


def _options(query: str, known: set[str]) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if not options.keys() <= known:
        raise ValueError(f"has unknown parameters; known here: {', '.join(sorted(known)) or 'none'}")
    return options
