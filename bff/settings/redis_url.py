"""Where sessions are kept: the forms of `BFF_REDIS_URL`, checked for shape; the store reads them in detail.

    redis://[[user]:password@]host[:port][/database]                rediss:// with TLS
    unix://[[user]:password@]/path/to/socket[?db=n]
    redis+sentinel://[[user]:password@]host[:port],host[:port],.../service[/database]
    redis+cluster://[[user]:password@]host[:port],host[:port],...

`valkey` may be written for `redis`. Passwords with reserved characters are percent-encoded.
"""

from __future__ import annotations

import re
from typing import Final

from bff.settings.fault import Unacceptable
from bff.settings.secret import Secret

SCHEMES: Final = (
    *("redis", "rediss", "redis+unix", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"),
    *("valkey", "valkeys", "valkey+unix", "valkey+sentinel", "valkeys+sentinel", "valkey+cluster", "valkeys+cluster"),
)

_CHARACTERS = re.compile(r"[!-~]{1,4096}")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]{1,253})(?::([1-9][0-9]{0,4}))?")
_DATABASE = re.compile(r"[0-9]{1,5}")


def parse_redis_url(text: str) -> Secret:
    """Return the URL, a secret for the password in it; raises `Unacceptable`, which quotes nothing of it."""
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in SCHEMES:
        raise Unacceptable(
            f"must be a URL whose scheme is one of {', '.join(SCHEMES)}", "Write for example redis://redis:6379/0"
        )
    if not _CHARACTERS.fullmatch(rest):
        raise Unacceptable("must be visible ASCII", "Percent-encode other characters in user name and password")
    rest, _, query = rest.partition("?")
    if "#" in rest or "#" in query:
        raise Unacceptable("must not have a fragment", "Write # in a password as %23")
    _check_query(query, scheme)
    credentials, at, place = rest.rpartition("@")
    if re.search("[@/]", credentials):
        raise Unacceptable("has an @ or / in user or password", "Write them as %40 and %2F")
    if at and ":" not in credentials:
        raise Unacceptable("has a user without password", "Write :password@ for a password alone")
    if scheme.endswith("unix"):
        if not place.startswith("/"):
            raise Unacceptable("must name the socket by an absolute path", "Write for example unix:///run/redis.sock")
        return Secret(text)
    hosts, _, path = place.partition("/")
    kind = scheme.partition("+")[2]
    _check_hosts(hosts.split(","), several=bool(kind))
    _check_path(kind, path)
    return Secret(text)


def _check_query(query: str, scheme: str) -> None:
    known: tuple[str, ...] = ()
    if scheme.endswith("unix"):
        known = ("db", "username", "password")
    elif scheme.endswith("sentinel"):
        known = ("sentinel_username", "sentinel_password")
    for item in filter(None, query.split("&")):
        name, _, value = item.partition("=")
        if name not in known or (name == "db" and not _DATABASE.fullmatch(value)):
            raise Unacceptable(
                f"has a parameter that is not known here; known are {', '.join(known) or 'none'}",
                "TLS is set by the scheme and BFF_CA_FILE alone",
            )


def _check_hosts(hosts: list[str], *, several: bool) -> None:
    if len(hosts) > 1 and not several:
        raise Unacceptable("names several hosts", "Use the scheme redis+sentinel or redis+cluster")
    for host in hosts:
        match = _HOST.fullmatch(host)
        if match is None or int(match[1] or 1) > 65535:
            raise Unacceptable(
                "must name a host, and a port from 1 to 65535 or none",
                "Write for example redis://redis:6379/0; percent-encode reserved characters in a password",
            )


def _check_path(kind: str, path: str) -> None:
    if kind == "sentinel":
        service, _, database = path.partition("/")
        if not service or (database and not _DATABASE.fullmatch(database)):
            raise Unacceptable(
                "must name Sentinel's service after the hosts",
                "Write for example redis+sentinel://s1:26379,s2:26379/mymaster/0",
            )
    elif kind == "cluster":
        if path:
            raise Unacceptable(
                "must not choose a database: a cluster has none but 0", "Leave out what follows the hosts"
            )
    elif path and not _DATABASE.fullmatch(path):
        raise Unacceptable("must end in a database number or nothing", "Write for example redis://redis:6379/0")
