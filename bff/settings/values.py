"""Single values of the environment: text in, a value out, or `Unacceptable`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from bff.settings.fault import Unacceptable, one_of

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES: Final = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30,
}  # fmt: skip
_PLAIN_NUMBER = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,6})?", re.ASCII)
_DURATION = re.compile(r"(?:[0-9]{1,10}(?:\.[0-9]{1,6})?[smhd])+", re.ASCII)
_DURATION_PART = re.compile(r"([0-9.]+)([smhd])", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,15}) ?([A-Za-z]*)", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_VISIBLE = re.compile(r"[ -~]+")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"[A-Za-z0-9_.:-]{1,253}")


def printable_text(text: str) -> str:
    """Return text without control characters."""
    if _CONTROL.search(text):
        raise Unacceptable("must not contain line breaks or other control characters", "Remove them")
    return text


def visible_text(text: str) -> str:
    """Return printable ASCII, the alphabet of client identifiers (RFC 6749 appendix A.1)."""
    if not _VISIBLE.fullmatch(text) or text != text.strip():
        raise Unacceptable("must be printable ASCII without spaces around it", "Copy it again from where it was issued")
    return text


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        text = text.strip()
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise Unacceptable(f"must be a whole number from {low} to {high}", f"Write digits alone, for example {low}")
        return int(text)

    return parse


def optional_port(text: str) -> int | None:
    """Return a TCP port, or None for `off`."""
    return None if text.strip().lower() == "off" else integer(1, 65535)(text)


def choice(*words: str) -> Callable[[str], str]:
    """Return a parser of one of the words, in whatever case."""

    def parse(text: str) -> str:
        word = text.strip().lower()
        if word not in words:
            raise one_of(word, words)
        return word

    return parse


def switch(text: str) -> bool:
    """Return whether it says `on` and not `off`; raises `Unacceptable`."""
    return choice("on", "off")(text) == "on"


def duration(low: float, high: float) -> Callable[[str], float]:
    """Return a parser of durations from `low` to `high`, both in seconds, as the result is."""

    def parse(text: str) -> float:
        text = text.strip()
        if _PLAIN_NUMBER.fullmatch(text):
            seconds = float(text)
        elif _DURATION.fullmatch(text):
            seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
        else:
            raise Unacceptable(
                "must be a duration: seconds, or numbers with the units s, m, h, d", "Write for example 90, 30m or 8h"
            )
        if not low <= seconds <= high:
            raise Unacceptable(f"must be from {low:g} to {high:g} seconds", "Choose a duration within these limits")
        return seconds

    return parse


def size(text: str) -> int:
    """Return a number of bytes; `kB`, `MB`, `GB` are powers of ten, `KiB`, `MiB`, `GiB` of two."""
    match = _SIZE.fullmatch(text.strip())
    factor = _BYTES.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise Unacceptable(
            "must be a size: bytes, or a number with one of the units kB, MB, GB, KiB, MiB, GiB",
            "Write for example 64MiB, 10MB or 1024",
        )
    number = int(match[1]) * factor
    if not 1 <= number <= 2**40:
        raise Unacceptable("must be from 1 byte to 1 TiB", "Choose a size within these limits")
    return number


def words(text: str) -> tuple[str, ...]:
    """Return the words of a list separated by spaces or commas; raises if there is none, or one twice."""
    found = tuple(text.replace(",", " ").split())
    if not found:
        raise Unacceptable("must name something", "Leave it unset for the default")
    if len(set(found)) != len(found):
        raise Unacceptable("must not name anything twice", "Remove what is repeated")
    return found


def tokens(text: str) -> tuple[str, ...]:
    """Return a list of names of the token grammar (RFC 9110 section 5.6.2)."""
    found = words(text)
    if not all(_TOKEN.fullmatch(word) for word in found):
        raise Unacceptable("must be a list of names made of letters, digits and !#$%&'*+.^_`|~-", "Correct the names")
    return found


def networks(text: str) -> tuple[Network, ...]:
    """Return a list of networks in CIDR notation, or of single addresses; `none` is the empty list."""
    if text.strip().lower() == "none":
        return ()
    found: list[Network] = []
    for word in words(text):
        try:
            network = ipaddress.ip_network(word)
        except ValueError:
            raise Unacceptable(
                "must be a list of networks in CIDR notation, their host bits zero",
                "Write for example 10.0.0.0/8 192.0.2.7 2001:db8::/32",
            ) from None
        if network.prefixlen == 0:
            raise Unacceptable(
                "must not be the whole internet: everybody would be believed", "Name the proxies' networks"
            )
        found.append(network)
    return tuple(found)


def listen_address(text: str) -> str:
    """Return an address or host name to listen on, IPv6 without brackets."""
    text = text.strip().removeprefix("[").removesuffix("]")
    if not _HOST.fullmatch(text):
        raise Unacceptable("must be an address or a host name, without port", "Write for example 127.0.0.1 or 0.0.0.0")
    return text


def cookie_name(text: str) -> str:
    """Return a cookie name without its prefix (RFC 6265 section 4.1.1)."""
    if not _TOKEN.fullmatch(text) or len(text) > 64:
        raise Unacceptable(
            "must be at most 64 letters, digits or !#$%&'*+.^_`|~-", "Choose a plain name, for example timesheets"
        )
    if text.lower().startswith(("__host-", "__secure-", "__http-")):
        raise Unacceptable(
            "must not have a cookie prefix", "Leave the prefix out; the gateway puts __Host-Http- before it"
        )
    if "-login-" in text.lower():
        raise Unacceptable("must not contain -login-, the mark of the cookies of a login", "Choose another name")
    return text


def local_path(text: str) -> str:
    """Return a path of this origin, with or without query."""
    if not re.fullmatch(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@/?%-]*)?", text) or "//" in text:
        raise Unacceptable(
            "must be a path of this origin: a slash, then no second one", "Write for example / or /goodbye"
        )
    if any(segment in (".", "..") for segment in re.split(r"[/?]", text.lower().replace("%2e", "."))):
        raise Unacceptable("must not contain dot segments", "Write the path without . and ..")
    return text
