"""Which URLs the gateway may send credentials to."""

from __future__ import annotations

from urllib.parse import urlsplit

from bff.settings.urls import is_loopback

MAX_LENGTH = 2048


def is_endpoint_url(url: object, *, loopback_http: bool) -> bool:
    """Whether `url` is an absolute https URL without user information and fragment (RFC 6749 section 3).

    With `loopback_http`, plain http to the machine itself is as good: a provider on a developer's own machine.
    """
    if not isinstance(url, str) or len(url) > MAX_LENGTH or not _is_plain(url):
        return False
    try:
        parts = urlsplit(url)
        hostname, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not hostname or port == 0 or "@" in parts.netloc or parts.netloc.endswith(":"):
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and loopback_http and is_loopback(hostname)


def is_loopback_http(url: str) -> bool:
    """Whether `url` is plain http to the machine itself."""
    return url.startswith("http://") and is_endpoint_url(url, loopback_http=True)


def _is_plain(url: str) -> bool:
    return all("!" <= character <= "~" and character not in '\\#"<>' for character in url)
