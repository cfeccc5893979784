"""Who the client is: what a trusted proxy says, worked out once."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from bff.http.request_head import RequestHead
from bff.proxy import client as client_module
from bff.proxy.client import Client, Clients
from bff.settings import parse_public_url

PUBLIC_URL = parse_public_url("https://app.example")
PROXY = "10.0.0.1"


def clients() -> Clients:
    return Clients(PUBLIC_URL, [ip_network("10.0.0.0/8")])


def head(*values: str, name: bytes = b"X-Forwarded-For") -> RequestHead:
    return RequestHead([(name, value.encode()) for value in values])


def name_of(known: Clients, peer: str, request_head: RequestHead) -> str:
    client = Client(known, peer)
    client.identify(request_head)
    assert f"X-Forwarded-For: {client.name}\r\n".encode() in client.forwarded_fields
    return client.name


@pytest.mark.parametrize(
    "peer, said, expected",
    [
        (PROXY, ("198.51.100.1",), "198.51.100.1"),
        (PROXY, ("6.6.6.6, 198.51.100.1",), "198.51.100.1"),
        (PROXY, ("6.6.6.6", "198.51.100.1"), "198.51.100.1"),
        (PROXY, ("nonsense",), PROXY),
        (PROXY, ("",), PROXY),
        (PROXY, (), PROXY),
        (PROXY, ("6.6.6.6, " * 40 + "198.51.100.1",), "198.51.100.1"),
        ("192.0.2.1", ("198.51.100.1",), "192.0.2.1"),
    ],
)
def test_the_answer_is_the_same_the_second_time(peer: str, said: tuple[str, ...], expected: str) -> None:
    known = clients()
    assert [name_of(known, peer, head(*said)) for _ in range(3)] == [expected] * 3


def test_what_one_peer_says_is_not_believed_of_another() -> None:
    known = clients()
    said = head("198.51.100.1")
    assert [name_of(known, peer, said) for peer in (PROXY, "192.0.2.1", "10.0.0.2", "192.0.2.2")] == [
        "198.51.100.1",
        "192.0.2.1",
        "198.51.100.1",
        "192.0.2.2",
    ]


def test_the_standard_field_is_read_anew_each_time() -> None:
    known = clients()
    for address in ("198.51.100.1", "198.51.100.2"):
        assert name_of(known, PROXY, head(f"for={address}", name=b"Forwarded")) == address


def test_a_connection_serves_one_client_after_the_other() -> None:
    client = Client(clients(), PROXY)
    for address in ("198.51.100.1", "198.51.100.2", "198.51.100.1"):
        client.identify(head(address))
        assert client.name == address
    client.identify(head())
    assert client.name == PROXY


def test_without_trusted_proxies_nothing_is_read() -> None:
    client = Client(Clients(PUBLIC_URL, []), PROXY)
    client.identify(head("198.51.100.1"))
    assert client.name == PROXY


def test_the_memory_of_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_MOST_REMEMBERED", 8)
    known = clients()
    for number in range(50):
        assert name_of(known, PROXY, head(f"198.51.100.{number}")) == f"198.51.100.{number}"
        assert len(known._known) <= 8
    for number in range(5):
        assert name_of(known, PROXY, head(f"198.51.100.{number}, " * 20 + "192.0.2.7")) == "192.0.2.7"
    assert all(len(value) <= 128 for _, value in known._known)
