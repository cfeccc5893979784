"""Who the client is: believed from trusted proxies alone, told to upstreams in our own words."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.http.forwarded import client_address, forwarded_fields

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")]


def test_without_trusted_proxies_the_peer_is_the_client() -> None:
    assert client_address("10.0.0.1", [b"192.0.2.1"], []) == "10.0.0.1"


@pytest.mark.parametrize(
    "peer, fields, client",
    [
        ("192.0.2.9", [b"198.51.100.1"], "192.0.2.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b""], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"6.6.6.6", b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", [b"198.51.100.1", b"10.0.0.2", b"10.0.0.3"], "198.51.100.1"),
        ("10.0.0.1", [b"10.0.0.5, 10.0.0.6"], "10.0.0.5"),
        ("10.0.0.1", [b"6.6.6.6, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [b"6.6.6.6, garbage"], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1,"], "10.0.0.1"),
        ("10.0.0.1", [b"  198.51.100.1  "], "198.51.100.1"),
        ("10.0.0.1", [b"198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", [b"[2001:db9::1]:4711"], "2001:db9::1"),
        ("10.0.0.1", [b"[2001:db9::1]"], "2001:db9::1"),
        ("10.0.0.1", [b"2001:DB9::1"], "2001:db9::1"),
        ("10.0.0.1", [b"::ffff:198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        ("2001:db8::5", [b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"198.51.100.1, 2001:db8::7"], "198.51.100.1"),
        ("-", [b"198.51.100.1"], "-"),
        ("10.0.0.1", [b'"198.51.100.1"'], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1\xe9"], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1\r\nX: y"], "10.0.0.1"),
        ("10.0.0.1", [b"010.0.0.2"], "10.0.0.1"),
        ("10.0.0.1", [b"1.2.3"], "10.0.0.1"),
        ("10.0.0.1", [b"fe80::1%eth0.1"], "fe80::1%eth0.1"),
        ("10.0.0.1", [b'fe80::1%"];host=evil.example'], "10.0.0.1"),
        ("10.0.0.1", [b"fe80::1%\xe9"], "10.0.0.1"),
    ],
)
def test_the_client_is_the_rightmost_hop_that_is_not_ours(peer: str, fields: list[bytes], client: str) -> None:
    assert client_address(peer, fields, TRUSTED) == client


def test_only_so_many_hops_are_looked_at() -> None:
    assert client_address("10.0.0.1", [b"198.51.100.1," + b",".join([b"10.0.0.2"] * 40)], TRUSTED) == "10.0.0.2"


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_an_untrusted_peer_cannot_pose_as_anybody(fields: list[bytes]) -> None:
    assert client_address("192.0.2.9", fields, TRUSTED) == "192.0.2.9"


@given(
    st.lists(
        st.one_of(st.binary(max_size=40), st.ip_addresses().map(lambda address: str(address).encode())), max_size=5
    )
)
def test_what_is_told_to_an_upstream_is_four_well_formed_lines_whatever_was_sent(fields: list[bytes]) -> None:
    client = client_address("10.0.0.1", fields, TRUSTED)
    lines = forwarded_fields(client, public_host="app.example", scheme="https").split(b"\r\n")
    assert [line.partition(b":")[0] for line in lines] == [
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Forwarded-Host",
        b"Forwarded",
        b"",
    ]


@pytest.mark.parametrize("client, node", [("192.0.2.1", b"192.0.2.1"), ("2001:db8::1", b'"[2001:db8::1]"')])
def test_both_generations_of_fields_say_the_same(client: str, node: bytes) -> None:
    assert forwarded_fields(client, public_host="app.example:8443", scheme="https") == (
        b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example:8443\r\n"
        b'Forwarded: for=%b;host="app.example:8443";proto=https\r\n' % (client.encode(), node)
    )
