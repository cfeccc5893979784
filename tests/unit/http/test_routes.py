"""Which route a path belongs to."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.http.routes import RouteTable


@dataclass(frozen=True)
class Route:
    prefix: str


def table(*prefixes: str) -> RouteTable[Route]:
    return RouteTable([Route(prefix) for prefix in prefixes])


def matched(routes: RouteTable[Route], path: bytes) -> str | None:
    route = routes.match(path)
    return None if route is None else route.prefix


@pytest.mark.parametrize(
    "path, prefix",
    [
        (b"/api", "/api"),
        (b"/api/", "/api"),
        (b"/api/x", "/api"),
        (b"/api//x", "/api"),
        (b"/api/admin", "/api/admin"),
        (b"/api/admin/", "/api/admin"),
        (b"/api/admin/x/y/z", "/api/admin"),
        (b"/api/administrator", "/api"),
        (b"/api/x/admin", "/api"),
        (b"/apifoo", None),
        (b"/api.json", None),
        (b"/api;x", None),
        (b"/api%2Fx", None),
        (b"/API/x", None),
        (b"/%61pi/x", None),
        (b"//api/x", None),
        (b"/x/api", None),
        (b"/", None),
        (b"/me", None),
        (b"/a/b/c/d", "/a/b/c/d"),
        (b"/a/b/c/d/e", "/a/b/c/d"),
        (b"/a/b/c", None),
    ],
)
def test_whole_segments_match_and_the_longest_prefix_wins(path: bytes, prefix: str | None) -> None:
    assert matched(table("/api", "/api/admin", "/a/b/c/d"), path) == prefix


def test_the_root_takes_what_no_other_route_does() -> None:
    routes = table("/", "/api")
    assert [matched(routes, path) for path in (b"/", b"/x", b"/apifoo", b"//x", b"/api/x")] == [
        "/",
        "/",
        "/",
        "/",
        "/api",
    ]


def test_the_root_alone_takes_every_path() -> None:
    assert matched(table("/"), b"/x/y") == "/"


def test_no_routes_match_nothing() -> None:
    assert matched(table(), b"/x") is None
    assert (len(table()), len(table("/a", "/b"))) == (0, 2)


@pytest.mark.parametrize(
    "path",
    [
        b"/api/%61dmin/x",
        b"/api/%2561dmin/x",
        b"/api/ADMIN/x",
        b"/api/Admin",
        b"/api//admin/x",
        b"/api/admin;v=1/x",
        b"/api/;/admin",
        b"/api/;v=1/admin",
        b"/api/admin%2Fx",
        b"/api%2Fadmin/x",
        b"/api/%2F/admin",
        b"/api/admin%3Fx",
        b"/api/admin%20/x",
        b"/api/%EF%BD%81dmin",
        b"/api/admin%23",
    ],
)
def test_a_path_that_a_lenient_server_gives_to_a_deeper_route_is_not_certain(path: bytes) -> None:
    assert not table("/api", "/api/admin").is_certain(path, b"/api")
    assert table("/api", "/api/admin").is_certain(path, b"/api/admin")
    assert table("/api", "/other/admin").is_certain(path, b"/api")


@pytest.mark.parametrize(
    "path",
    [
        b"/api",
        b"/api/",
        b"/api/x",
        b"/api/administrator",
        b"/api/Users/1",
        b"/api/%C3%A9/x",
        b"/api/x/admin",
        b"/api/a//b",
    ],
)
def test_a_path_that_everybody_gives_to_the_same_route_is_certain(path: bytes) -> None:
    assert table("/api", "/api/admin").is_certain(path, b"/api")


@pytest.mark.parametrize("path", [b"/API/x", b"/%61pi/x", b"//api", b"/BFF/login", b"/bff%2Flogin", b"/;/bff/login"])
def test_a_route_for_every_path_has_no_uncertain_one(path: bytes) -> None:
    routes = RouteTable([Route("/"), Route("/api")], reserved=("/bff",))
    assert not routes.is_certain(path, b"")
    assert routes.is_certain(b"/src/App.tsx", b"")


_SEGMENT = st.text("ab%2F.;", min_size=0, max_size=3)


@given(
    st.lists(st.lists(st.text("ab", min_size=1, max_size=2), max_size=3).map(lambda s: "/" + "/".join(s)), max_size=5),
    st.lists(_SEGMENT, min_size=1, max_size=6),
)
def test_the_table_agrees_with_trying_every_route(prefixes: list[str], segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    candidates = [p for p in prefixes if p == "/" or path == p or path.startswith(p + "/")]
    assert matched(table(*prefixes), path.encode()) == (max(candidates, key=len) if candidates else None)
