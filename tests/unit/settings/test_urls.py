"""The URLs of the configuration: nothing that two readers could take for two things."""

from __future__ import annotations

import pytest

from bff.settings import parse_public_url, parse_upstream_url
from bff.settings.fault import Unacceptable
from bff.settings.urls import is_loopback, parse_absolute_uri, parse_issuer

MISLEADING = [
    "http://localhost:80@attacker.example",
    "http://localhost@attacker.example",
    "http://127.0.0.1:80#@attacker.example",
    "http://localhost\\@attacker.example",
    "http://attacker.example\\.localhost",
    "http://localhost.attacker.example",
    "http://127.0.0.1.attacker.example",
    "http://127.1",
    "http://0x7f000001",
    "http://2130706433",
    "http://0177.0.0.1",
    "http://127.0.0.1.",
    "http://localhost:99999",
    "http://localhost:",
    "http://localhost:0",
    "http://localhost:+80",
    "http://localhost:\uff18\uff10",
    "http://[::1",
    "http://[::1]x",
    "http://[::1%25eth0]",
    "http://::1",
    "http:///localhost",
    "http:localhost",
    "http://",
    "//localhost",
    "localhost",
    " http://localhost",
    "http://localhost ",
    "http://local\thost",
    "http://localhost\n",
    "http://loc%61lhost",
    "http://-localhost",
    "http://a..b.localhost",
    f"http://{'a' * 64}.localhost",
    "http://bücher.localhost",
    "javascript://localhost/%0aalert(1)",
    "file://localhost/",
    "ftp://localhost",
    "",
]


@pytest.mark.parametrize("parse", [parse_public_url, parse_issuer], ids=["public_url", "issuer"])
@pytest.mark.parametrize("url", [*MISLEADING, "http://app.example.com", "http://10.0.0.1", "http://[2001:db8::1]"])
def test_plain_http_is_for_this_machine_alone_however_a_url_is_dressed_up(parse: object, url: str) -> None:
    with pytest.raises(Unacceptable):
        parse(url)  # type: ignore[operator]


@pytest.mark.parametrize("parse", [parse_public_url, parse_issuer, parse_upstream_url])
@pytest.mark.parametrize(
    "host",
    ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.01", "127.0.0.1.", "1.2.3.4.5", "app.example.7"],
)
def test_a_name_that_ends_in_a_number_is_an_address_in_its_usual_form_or_nothing(parse: object, host: str) -> None:
    with pytest.raises(Unacceptable) as refused:
        parse(f"https://{host}")  # type: ignore[operator]
    assert "host name" in refused.value.rule


@pytest.mark.parametrize(
    "url, origin, hostname, port, host",
    [
        ("https://app.example.com", "https://app.example.com", "app.example.com", 443, "app.example.com"),
        ("https://app.example.com/", "https://app.example.com", "app.example.com", 443, "app.example.com"),
        ("HTTPS://App.Example.COM:443", "https://app.example.com", "app.example.com", 443, "app.example.com"),
        ("https://app.example:8443", "https://app.example:8443", "app.example", 8443, "app.example:8443"),
        ("http://localhost:8080", "http://localhost:8080", "localhost", 8080, "localhost:8080"),
        ("http://app.localhost", "http://app.localhost", "app.localhost", 80, "app.localhost"),
        ("http://127.8.9.10:80", "http://127.8.9.10", "127.8.9.10", 80, "127.8.9.10"),
        ("http://[0:0::1]:8080", "http://[::1]:8080", "::1", 8080, "[::1]:8080"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example", 443,
         "xn--bcher-kva.example"),
    ],
)  # fmt: skip
def test_the_public_url_becomes_an_origin(url: str, origin: str, hostname: str, port: int, host: str) -> None:
    public = parse_public_url(url)
    assert (public.origin, public.hostname, public.port, public.host) == (origin, hostname, port, host)
    assert public.is_secure is origin.startswith("https:")
    assert public.url("/bff/callback") == f"{origin}/bff/callback"


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com/app",
        "https://app.example.com//",
        "https://app.example.com?x",
        "https://app.example.com#x",
        "https://app.example.com/?",
        "https://app.example.com.",
        "https://user@app.example.com",
        "https://@app.example.com",
        "https://*.example.com",
        "https://app.example.com,other.example",
    ],
)
def test_the_public_url_is_an_origin_and_nothing_more(url: str) -> None:
    with pytest.raises(Unacceptable):
        parse_public_url(url)


@pytest.mark.parametrize(
    "issuer",
    [
        "https://id.example.com",
        "https://id.example.com/",
        "https://ID.example.com:443/Realms/main/",
        "https://id.example.com/a//b/%7Euser",
        "http://localhost:9000/",
        "http://127.0.0.1:9000",
        "http://[::1]:9000/x",
    ],
)
def test_the_issuer_is_kept_byte_for_byte(issuer: str) -> None:
    assert parse_issuer(issuer) == issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "https://id.example.com?tenant=1",
        "https://id.example.com/#x",
        "https://user:password@id.example.com",
        "https://id.example.com/ ",
        "https://id.example.com/.well-known/openid-configuration",
        "id.example.com",
    ],
)
def test_an_issuer_has_no_query_fragment_or_user_information_and_is_not_the_metadatas_address(issuer: str) -> None:
    with pytest.raises(Unacceptable):
        parse_issuer(issuer)


@pytest.mark.parametrize(
    "url, expected",
    [
        ("https://api.example.com", ("https", "api.example.com", 443, "api.example.com", "")),
        ("https://api.example.com/", ("https", "api.example.com", 443, "api.example.com", "")),
        ("https://api.example.com/v1/", ("https", "api.example.com", 443, "api.example.com", "/v1")),
        ("http://API:8000/a/b.c", ("http", "api", 8000, "api:8000", "/a/b.c")),
        ("http://api.ns.svc.local.:80", ("http", "api.ns.svc.local.", 80, "api.ns.svc.local.", "")),
        ("http://10.0.0.7:9000", ("http", "10.0.0.7", 9000, "10.0.0.7:9000", "")),
        ("http://[fd00::7]/x", ("http", "fd00::7", 80, "[fd00::7]", "/x")),
        ("http://my_service:80", ("http", "my_service", 80, "my_service", "")),
    ],
)  # fmt: skip
def test_an_upstream_is_http_or_https_with_a_base_path(url: str, expected: tuple[str, str, int, str, str]) -> None:
    upstream = parse_upstream_url(url)
    assert (upstream.scheme, upstream.hostname, upstream.port, upstream.host, upstream.path) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://user:password@api.example.com",
        "https://api.example.com?x=1",
        "https://api.example.com/#x",
        "https://api.example.com/a/../b",
        "https://api.example.com/a/./b",
        "https://api.example.com/..",
        "https://api.example.com/%2e%2e/b",
        "https://api.example.com/a%2fb",
        "https://api.example.com//a",
        "https://api.example.com/a//",
        "https://api.example.com/a\\b",
        "https://api.example.com:0",
        "unix:///run/api.sock",
        "api.example.com",
        f"https://api.example.com/{'a' * 2048}",
    ],
)
def test_an_upstream_cannot_be_left_by_its_own_path(url: str) -> None:
    with pytest.raises(Unacceptable):
        parse_upstream_url(url)


@pytest.mark.parametrize(
    "uri", ["https://api.example.com", "https://api.example.com/v1?x=1", "urn:example:api", "api:x"]
)
def test_a_resource_is_an_absolute_uri(uri: str) -> None:
    assert parse_absolute_uri(uri) == uri


@pytest.mark.parametrize(
    "uri", ["api", "/api", "https://api#x", "https://user:password@api", "https://a b", "https:", "", "https://é"]
)
def test_a_resource_that_is_relative_or_has_a_fragment_is_refused(uri: str) -> None:
    with pytest.raises(Unacceptable):
        parse_absolute_uri(uri)


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.255.255.254", "::1"])
def test_names_that_can_only_mean_this_machine_are_loopback(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize(
    "name", ["localhost.example", "notlocalhost", "128.0.0.1", "0.0.0.0", "::", "::2", "", "127.1"]
)
def test_other_names_are_not_loopback(name: str) -> None:
    assert not is_loopback(name)
