"""Which route a path belongs to: whole segments of the raw path, the longest prefix wins."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

# Paths that everybody splits into the same segments.
_CERTAIN = re.compile(rb"(?:/[a-z0-9._~!$&'()*+,=:@-]+)*/?")
_AFTER_SEGMENT = re.compile("[;?#]")


class HasPrefix(Protocol):
    """What a route must have to be found: a prefix such as `/api`, without a trailing slash; `/` matches every path."""

    @property
    def prefix(self) -> str: ...


Route = TypeVar("Route", bound=HasPrefix)


class RouteTable(Generic[Route]):
    """Routes by prefix; a look-up costs the depth of the deepest prefix, however many routes there are."""

    def __init__(self, routes: Iterable[Route], *, reserved: Iterable[str] = ()) -> None:
        """Take the routes; paths below a prefix in `reserved` belong to none, not even to a route for every path."""
        self._reserved = {prefix.encode("ascii") for prefix in reserved}
        self._by_prefix = {route.prefix.rstrip("/").encode("ascii"): route for route in routes}
        self._deepest = max((prefix.count(b"/") for prefix in (*self._by_prefix, *self._reserved)), default=0)
        self._folded = {prefix.lower() for prefix in self._by_prefix} | {prefix.lower() for prefix in self._reserved}
        self._with_deeper = {
            prefix for prefix in self._by_prefix if any(_is_below(other, prefix.lower()) for other in self._folded)
        }

    def __len__(self) -> int:
        return len(self._by_prefix)

    def match(self, path: bytes) -> Route | None:
        """Return the route of the raw path, or None."""
        segments = path.split(b"/", self._deepest + 1)
        del segments[self._deepest + 1 :]
        while segments:
            prefix = b"/".join(segments)
            route = self._by_prefix.get(prefix)
            if route is not None:
                return route if prefix or b"/%b" % path.split(b"/", 2)[1] not in self._reserved else None
            segments.pop()
        return None

    def is_certain(self, path: bytes, prefix: bytes) -> bool:
        """Whether whoever reads the path, however leniently, finds it below this prefix of ours and below no other.

        Servers decode, fold case, cut parameters off and drop empty segments; a path that would then belong to another
        route would reach what that route protects by the rules of this one. `path` has passed `check_path`.
        """
        if prefix not in self._with_deeper or _CERTAIN.fullmatch(path) is not None:
            return True
        segments = _lenient_segments(path)[: self._deepest + 1]
        own = prefix.count(b"/") + 1
        return not any(b"/".join(segments[:count]) in self._folded for count in range(own + 1, len(segments) + 1))


def _is_below(prefix: bytes, other: bytes) -> bool:
    return prefix != other and prefix.startswith(other + b"/")


def _lenient_segments(path: bytes) -> list[bytes]:
    """Return the segments of the path as the most lenient server reads them, and before them the empty one."""
    while (decoded := unquote_to_bytes(path)) != path:
        path = decoded
    text = unicodedata.normalize("NFKC", path.decode("utf-8", "replace")).lower()
    segments = (_AFTER_SEGMENT.split(segment, 1)[0].strip(" ") for segment in text.split("/"))
    return [b"", *(segment.encode("utf-8") for segment in segments if segment)]
