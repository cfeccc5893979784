"""Which requests reach an endpoint, and what stands before each."""

from __future__ import annotations

from typing import NoReturn

import pytest
from starlette.types import Receive, Scope, Send

from bff.asgi import paths
from bff.asgi.request import Notes, Request, attach_notes
from bff.endpoints.routing import Endpoint, Endpoints, Protection
from bff.errors import CrossOriginRejected, MethodNotAllowed, NotFound
from tests.support.asgi_call import Fields, call
from tests.support.gateway_browser import Site

ORIGIN = "https://app.example.com"


class Reached(Exception):
    """The endpoint was asked."""


class FellThrough(Exception):
    """The fallback was asked."""


async def endpoint(_request: Request) -> NoReturn:
    raise Reached


async def fallback(_scope: Scope, _receive: Receive, _send: Send) -> NoReturn:
    raise FellThrough


async def ask(path: str, method: str = "GET", fields: Fields = (), protection: Protection = Protection.PUBLIC) -> None:
    table = [Endpoint("/bff/here", "here", protection, {"GET": endpoint, "POST": endpoint})]
    endpoints = Endpoints(
        table, fallback=fallback, proxied=["/api", "/files/v1"], public_origin=ORIGIN, session_cookie="bff"
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        attach_notes(scope, Notes("1", "-"))
        await endpoints(scope, receive, send)

    await call(app, method, path, fields)


@pytest.mark.parametrize("path", ["/bff/here", "/bff/here?x=/status", "/bff/here?"])
async def test_an_endpoint_is_found_by_its_exact_path(path: str) -> None:
    with pytest.raises(Reached):
        await ask(path)


@pytest.mark.parametrize(
    "path",
    [
        "/bff", "/bff/", "/bff/here/", "/bff/here/x", "/bff//here", "/bff/./here", "/bff/x/../here", "/bff/Here",
        "/bff/her%65", "/bff%2fhere/..", "/bff/here;x=y", "/bff/here%00", "/bff/here%20", "/bff/here#/x",
        "/bff/here%23", "/bff/here\\",
    ],
)  # fmt: skip
async def test_what_only_looks_like_an_endpoint_is_none(path: str) -> None:
    with pytest.raises((NotFound, FellThrough)):
        await ask(path)


@pytest.mark.parametrize("path", ["/bff", "/bff/x", "/api", "/api/x", "/files/v1/x"])
async def test_unknown_paths_of_ours_and_of_proxied_routes_are_not_the_applications(path: str) -> None:
    with pytest.raises(NotFound):
        await ask(path)


@pytest.mark.parametrize("path", ["/", "/x", "/bffx", "/BFF/here", "/apifoo", "/files", "/files/v10", "//bff/here"])
async def test_everything_else_is_the_applications(path: str) -> None:
    with pytest.raises(FellThrough):
        await ask(path)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "get", "OPTIONS"])
async def test_other_methods_are_refused_with_those_allowed(method: str) -> None:
    with pytest.raises(MethodNotAllowed) as raised:
        await ask("/bff/here", method)
    assert raised.value.allowed == ("GET", "POST")


FOREIGN = [("Sec-Fetch-Site", "cross-site")]
COOKIE = [("Cookie", "bff=x")]


@pytest.mark.parametrize(
    ("protection", "fields", "is_refused"),
    [
        (Protection.PUBLIC, FOREIGN + COOKIE, False),
        (Protection.NAVIGATION, FOREIGN + COOKIE, False),
        (Protection.PROVIDER_SIGNATURE, FOREIGN + COOKIE, False),
        (Protection.COOKIE_FROM_OWN_ORIGIN, FOREIGN, False),
        (Protection.COOKIE_FROM_OWN_ORIGIN, FOREIGN + COOKIE, True),
        (Protection.COOKIE_FROM_OWN_ORIGIN, [*FOREIGN, ("Cookie", "bff=")], True),
        (Protection.COOKIE_FROM_OWN_ORIGIN, [*FOREIGN, ("Cookie", "a=b; bff=x; bff=y")], True),
        (Protection.COOKIE_FROM_OWN_ORIGIN, COOKIE, True),
        (Protection.COOKIE_FROM_OWN_ORIGIN, [*COOKIE, ("X-CSRF", "1")], False),
        (Protection.OWN_ORIGIN, FOREIGN, True),
        (Protection.OWN_ORIGIN, [], True),
        (Protection.OWN_ORIGIN, [("Origin", ORIGIN)], False),
        (Protection.OWN_ORIGIN, [("Sec-Fetch-Site", "same-origin")], False),
    ],
)
async def test_each_protection_refuses_what_it_says(protection: Protection, fields: Fields, is_refused: bool) -> None:
    with pytest.raises(CrossOriginRejected if is_refused else Reached):
        await ask("/bff/here", "POST", fields, protection)


async def test_no_endpoint_that_a_session_cookie_authenticates_is_unprotected(site: Site) -> None:
    table = {endpoint.path: endpoint.protection for endpoint in site.gateway.endpoints}
    assert table[paths.SESSION] is table[paths.REFRESH] is Protection.COOKIE_FROM_OWN_ORIGIN
    assert table[paths.LOGOUT] is Protection.OWN_ORIGIN
    public = {path for path, protection in table.items() if protection is Protection.PUBLIC}
    assert public == {paths.ALIVE, paths.READY}
