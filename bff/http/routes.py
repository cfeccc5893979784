"""Which route a path belongs to: whole segments of the raw path, the longest prefix wins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar


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
        self._deepest = max((prefix.count(b"/") for prefix in self._by_prefix), default=0)

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
