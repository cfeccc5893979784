"""The Redis URL."""

from __future__ import annotations

import pytest

from bff.stores.redis_address import RedisAddress, Topology, parse_redis_address

ADDRESSES = [
    ("redis://localhost", RedisAddress(Topology.SERVER, hosts=(("localhost", 6379),))),
    ("valkey://h:1", RedisAddress(Topology.SERVER, hosts=(("h", 1),))),
    ("redis://h:65535/15", RedisAddress(Topology.SERVER, hosts=(("h", 65535),), database=15)),
    ("redis://h/", RedisAddress(Topology.SERVER, hosts=(("h", 6379),))),
    ("rediss://[::1]:6380/2", RedisAddress(Topology.SERVER, is_tls=True, hosts=(("::1", 6380),), database=2)),
    ("redis://[2001:db8::1]", RedisAddress(Topology.SERVER, hosts=(("2001:db8::1", 6379),))),
    ("valkeys://h", RedisAddress(Topology.SERVER, is_tls=True, hosts=(("h", 6379),))),
    ("redis://:p%40ss%3A%2F@h", RedisAddress(Topology.SERVER, hosts=(("h", 6379),), password="p@ss:/")),
    (
        "redis://bff:a:b@h/1",
        RedisAddress(Topology.SERVER, hosts=(("h", 6379),), database=1, username="bff", password="a:b"),
    ),
    ("redis://u:p@x@h", RedisAddress(Topology.SERVER, hosts=(("h", 6379),), username="u", password="p@x")),
    ("unix:///run/redis.sock", RedisAddress(Topology.UNIX, path="/run/redis.sock")),
    (
        "unix:///run/a%20b.sock?db=3&username=u&password=p%26",
        RedisAddress(Topology.UNIX, path="/run/a b.sock", database=3, username="u", password="p&"),
    ),
    ("unix://u:p@/s", RedisAddress(Topology.UNIX, path="/s", username="u", password="p")),
    ("redis+unix:///s", RedisAddress(Topology.UNIX, path="/s")),
    ("valkey+unix:///s", RedisAddress(Topology.UNIX, path="/s")),
    (
        "redis+sentinel://u:p@h1:1,h2/main/4?sentinel_username=su&sentinel_password=sp",
        RedisAddress(
            Topology.SENTINEL,
            hosts=(("h1", 1), ("h2", 26379)),
            service="main",
            database=4,
            username="u",
            password="p",
            sentinel_username="su",
            sentinel_password="sp",
        ),
    ),
    (
        "rediss+sentinel://h/main",
        RedisAddress(Topology.SENTINEL, is_tls=True, hosts=(("h", 26379),), service="main"),
    ),
    ("valkey+sentinel://h/m", RedisAddress(Topology.SENTINEL, hosts=(("h", 26379),), service="m")),
    ("redis+cluster://h1,h2:7001", RedisAddress(Topology.CLUSTER, hosts=(("h1", 6379), ("h2", 7001)))),
    ("valkeys+cluster://h/", RedisAddress(Topology.CLUSTER, is_tls=True, hosts=(("h", 6379),))),
]


@pytest.mark.parametrize("url, address", ADDRESSES)
def test_every_documented_form_is_understood(url: str, address: RedisAddress) -> None:
    assert parse_redis_address(url) == address


@pytest.mark.parametrize(
    "url, rule",
    [
        ("", "unknown scheme"),
        ("localhost:6379", "unknown scheme"),
        ("http://h", "unknown scheme"),
        ("redis+http://h", "unknown scheme"),
        ("rediss+unix:///s", "unknown scheme"),
        ("redis://[h", "not a URL"),
        ("redis://", "host"),
        ("redis:///0", "host"),
        ("redis://h:port", "host"),
        ("redis://h:", "host"),
        ("redis://h:0", "port"),
        ("redis://h:65536", "port"),
        ("redis://h1,h2", "several hosts"),
        ("redis://h/db", "not a number"),
        ("redis://h/-1", "not a number"),
        ("redis://h/0/1", "too many parts"),
        ("redis://:pa#ss@h", "%23"),
        ("redis://user@h", "password"),
        ("redis://h?db=1", "unknown parameters"),
        ("redis://h?ssl_cert_reqs=none", "unknown parameters"),
        ("rediss://h?ssl_check_hostname=false", "unknown parameters"),
        ("redis+cluster://h/1", "one database"),
        ("redis+sentinel://h", "service"),
        ("redis+sentinel://h/m/0/1", "too many parts"),
        ("redis+sentinel://h,/m", "host"),
        ("redis+sentinel://h/m?db=1", "unknown parameters"),
        ("unix://host/s", "absolute path"),
        ("unix:", "absolute path"),
        ("unix:///s?x=1", "db, password, username"),
        ("unix:///s?db=x", "not a number"),
    ],
)
def test_every_other_form_is_refused_with_the_rule(url: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse_redis_address(url)


@pytest.mark.parametrize(
    "url", ["redis://u:hunter2@h:port", "redis://hunter2@h", "redis://:hunter2@h?x=hunter2", "redis://:hunter2#@h"]
)
def test_a_refusal_never_repeats_a_part_of_the_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as refusal:
        parse_redis_address(url)
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_passwords_are_not_part_of_the_representation() -> None:
    address = parse_redis_address("redis+sentinel://u:hunter2@h/m?sentinel_password=hunter3")
    assert "hunter" not in repr(address)
