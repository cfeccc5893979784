import pytest

from bff.oauth.endpoint_url import is_endpoint_url, is_loopback_http
from bff.settings.urls import is_loopback


@pytest.mark.parametrize(
    "url",
    [
        "https://provider.example/authorize",
        "https://provider.example",
        "https://provider.example:8443/a/b?tenant=1",
        "https://[2001:db8::1]:8443/token",
        "https://provider.example/" + "a" * 2023,
    ],
)
def test_an_absolute_https_url_is_an_endpoint(url: str) -> None:
    assert is_endpoint_url(url, loopback_http=False)


@pytest.mark.parametrize(
    "url",
    [
        None,
        1,
        ["https://provider.example"],
        "",
        "/authorize",
        "//provider.example/authorize",
        "provider.example/authorize",
        "https:",
        "https://",
        "https:///authorize",
        "https:provider.example",
        "https://:443/",
        "https://provider.example:/",
        "https://provider.example:0/",
        "https://provider.example:65536/",
        "https://provider.example:port/",
        "https://user@provider.example/",
        "https://user:password@provider.example/",
        "https://@provider.example/",
        "https://localhost:80@attacker.example/",
        "https://provider.example/#fragment",
        "https://provider.example/#",
        "https://provider.example\\@attacker.example/",
        "https://provider.example/ a",
        "https://provider.example/\r\nHost: x",
        "https://provider.example/\t",
        " https://provider.example/",
        "https://provider.example/\u00e9",
        'https://provider.example/"',
        "https://[provider.example/",
        "https://[::g]/",
        "https://provider.example/" + "a" * 2024,
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://provider.example/",
        "http://provider.example/",
        "http://127.0.0.1.attacker.example/",
        "http://localhost.attacker.example/",
    ],
)
def test_anything_else_is_not(url: object) -> None:
    assert not is_endpoint_url(url, loopback_http=False)
    assert not is_endpoint_url(url, loopback_http=True)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "[::1]"])
def test_plain_http_is_an_endpoint_on_this_machine_where_it_is_allowed(host: str) -> None:
    assert is_endpoint_url(f"http://{host}:8080/token", loopback_http=True)
    assert not is_endpoint_url(f"http://{host}:8080/token", loopback_http=False)
    assert is_loopback_http(f"http://{host}:8080")


def test_a_loopback_name_is_exact() -> None:
    assert is_loopback("localhost")
    assert not is_loopback("localhost.example")
    assert not is_loopback("10.0.0.1")
    assert not is_loopback("")


@pytest.mark.parametrize("url", ["https://localhost/", "http://provider.example/", "http://user@localhost/", "http://"])
def test_only_plain_http_to_this_machine_is_loopback_http(url: str) -> None:
    assert not is_loopback_http(url)
