"""The URLs of the configuration, read strictly: what two parsers could read differently is refused.

User information is refused everywhere, so that `http://localhost:80@attacker.example` is nobody's loopback address.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from bff.settings.fault import Unacceptable

MAX_LENGTH: Final = 2048
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# Visible ASCII without the characters that RFC 3986 never allows unescaped.
_CHARACTERS = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]*")
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<rest>.*)")
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>[1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_BASE_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*")


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """The origin browsers use; `origin` has no trailing slash and no default port, `hostname` no brackets."""

    origin: str
    scheme: str
    hostname: str
    port: int
    host: str
    is_secure: bool

    def url(self, path: str) -> str:
        """Return the absolute URL of a path that begins with a slash."""
        return self.origin + path


@dataclass(frozen=True, slots=True)
class UpstreamUrl:
    """Where a route's calls go; `host` is the Host field, `path` has no trailing slash and may be empty."""

    scheme: str
    hostname: str
    port: int
    host: str
    path: str


@dataclass(frozen=True, slots=True)
class _Url:
    scheme: str
    hostname: str
    port: int
    host: str
    path: str
    rest: str


def parse_public_url(text: str) -> PublicUrl:
    """Return the public origin (RFC 6454); raises `Unacceptable`. Plain http is for this machine alone."""
    url = _split(text, ("https", "http"), "https://app.example.com")
    if url.path not in ("", "/") or url.rest:
        raise Unacceptable(
            "must be an origin: scheme, host and port, without path, query and fragment",
            "Leave out what follows the host, as in https://app.example.com",
        )
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise Unacceptable(
            "may be http only for this machine (localhost, *.localhost, 127.0.0.0/8, [::1])",
            "Use https; a proxy in front may end TLS",
        )
    if url.hostname.endswith("."):
        raise Unacceptable("must not end in a dot", "Leave out the final dot of the host name")
    origin = f"{url.scheme}://{url.host}"
    return PublicUrl(origin, url.scheme, url.hostname, url.port, url.host, url.scheme == "https")


def parse_issuer(text: str) -> str:
    """Return the issuer identifier byte for byte (OpenID Connect Discovery 1.0 section 3); raises `Unacceptable`."""
    url = _split(text, ("https", "http"), "https://id.example.com/realms/main")
    if url.rest:
        raise Unacceptable(
            "must have neither query nor fragment", "Copy `issuer` from the provider's metadata, exactly as it is there"
        )
    if text.endswith("/.well-known/openid-configuration"):
        raise Unacceptable(
            "must be the issuer, not the address of its metadata", "Leave out /.well-known/openid-configuration"
        )
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise Unacceptable(
            "may be http only for this machine (localhost, *.localhost, 127.0.0.0/8, [::1])", "Use the provider's https"
        )
    return text


def parse_upstream_url(text: str) -> UpstreamUrl:
    """Return where calls are sent, by https or http; raises `Unacceptable`."""
    url = _split(text, ("https", "http"), "https://api.example.com/v1")
    if url.rest:
        raise Unacceptable("must have neither query nor fragment", "Leave out what follows the path")
    path = url.path.removesuffix("/")
    if not _BASE_PATH.fullmatch(path) or any(segment in (".", "..") for segment in path.split("/")):
        raise Unacceptable(
            "must have a plain path: no dot segments, empty segments or percent-encoded characters",
            "Write the path as the API knows it, as in https://api.example.com/v1",
        )
    return UpstreamUrl(url.scheme, url.hostname, url.port, url.host, path)


def parse_dev_server_url(text: str) -> UpstreamUrl:
    """Return where a page's development server listens: this machine, the whole origin; raises `Unacceptable`."""
    url = parse_upstream_url(text)
    if not is_loopback(url.hostname) or url.path:
        raise Unacceptable(
            "must be an origin on this machine: a development server is for nobody else",
            "Write for example http://127.0.0.1:5173, and use BFF_STATIC_DIR in production",
        )
    return url


def parse_page_url(text: str) -> str:
    """Return the address of a page, by https unless it is on this machine, as it is; raises `Unacceptable`."""
    url = _split(text, ("https", "http"), "https://id.example.com/logout?client_id=app")
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise Unacceptable("must begin with https://", "Use https; http is for this machine alone")
    if "#" in url.rest:
        raise Unacceptable("must not have a fragment", "Leave out what follows the #")
    return text


def parse_absolute_uri(text: str) -> str:
    """Return an absolute URI without fragment as it is (RFC 8707 section 2); raises `Unacceptable`."""
    if (
        len(text) > MAX_LENGTH
        or not _CHARACTERS.fullmatch(text)
        or not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:[^#]+\Z", text)
    ):
        raise Unacceptable(
            "must be an absolute URI without fragment", "Write for example https://api.example.com or urn:example:api"
        )
    if "@" in text.partition("://")[2].partition("/")[0]:
        raise Unacceptable("must not contain user information", "Leave out what stands before the @")
    return text


def origin_of(url: str) -> str:
    """Return the origin of a URL that was parsed before."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(hostname: str) -> bool:
    """Whether the name or address can only mean this machine (RFC 6761 section 6.3)."""
    hostname = hostname.lower()
    if hostname == "localhost" or hostname.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False


def _split(text: str, schemes: tuple[str, ...], example: str) -> _Url:
    """Return the parts of a URL; the scheme, host and port are valid, path, query and fragment are as written."""
    form = Unacceptable(
        f"must be an absolute URL beginning with {' or '.join(s + '://' for s in schemes)}",
        f"Write for example {example}",
    )
    if len(text) > MAX_LENGTH or not _CHARACTERS.fullmatch(text):
        raise Unacceptable(
            f"must be at most {MAX_LENGTH} characters, visible ASCII alone",
            "Remove spaces, quotes and control characters; write other scripts as xn-- names",
        )
    match = _URL.fullmatch(text)
    if match is None or match["scheme"].lower() not in schemes:
        raise form
    if "@" in match["authority"]:
        raise Unacceptable("must not contain user information", "Leave out what stands before the @")
    authority = _AUTHORITY.fullmatch(match["authority"])
    if authority is None or int(authority["port"] or 1) > 65535:
        raise Unacceptable("must name a host, and a port from 1 to 65535 or none", f"Write for example {example}")
    scheme = match["scheme"].lower()
    hostname = _hostname(authority["host"].lower())
    port = int(authority["port"] or DEFAULT_PORTS[scheme])
    bracketed = f"[{hostname}]" if ":" in hostname else hostname
    host = bracketed if port == DEFAULT_PORTS[scheme] else f"{bracketed}:{port}"
    return _Url(scheme, hostname, port, host, match["path"], match["rest"])


def _hostname(host: str) -> str:
    """Return a name, or an address in its usual form without brackets; raises `Unacceptable`."""
    fault = Unacceptable("must have a valid host name or address", "Check the part between // and the next /")
    try:
        if host.startswith("["):
            return str(ipaddress.IPv6Address(host[1:-1]))
        labels = host.removesuffix(".").split(".")
        # A name that ends in a number is an address to browsers, in forms that other parsers read otherwise.
        if _NUMBER.fullmatch(labels[-1]):
            return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise fault from None
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise fault
    return host
