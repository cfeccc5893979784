"""Real servers behind the proxy: what each understands of a forwarded request is what the gateway understood.

The raw requests of the corpus that are meant to pass go to each of them, and some that try to look like two. They are
kept on connections to the server that are used again, so that a request understood wrongly spoils the next one too.
"""

from __future__ import annotations

import base64
import json
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bff.demo.child import Child, clean_environment
from tests.support.corpus import cases, octets
from tests.support.left_out import leave_out
from tests.support.processes import reserve_port, running
from tests.support.proxy_server import ProxyServer, RawClient, route_to, running_proxy
from tests.support.raw_http import Message

SERVERS = Path(__file__).parents[1] / "support" / "echo_servers"
NGINX_MODULES = Path("/usr/lib/nginx/modules")
NAMES = ["node", "nginx", "uvicorn with h11", "uvicorn with httptools", "http.server"]
WITHOUT_CHUNKS = "http.server"
# What a server answers otherwise for reasons of its own: it has an entity for `*`, or a limit of fields.
ANSWERED_OTHERWISE = {("nginx", "CAP-INM-WILDCARD"), ("http.server", "COMP-MANY-OK")}
PASSING = [case for case in cases("raw_requests.txt") if isinstance(case[2], list) and case[2]]
BODIES = [
    b"GET /open/evil HTTP/1.1\r\nHost: a\r\n\r\n",
    b"0\r\n\r\nGET /open/evil HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\n\r\n",
    b"\x00\xff\x00",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"x" * 100_000,
]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def command(name: str, port: int, directory: Path) -> list[str]:
    """Return the command that starts the server; leave the test out where it is not installed."""
    if name == "node":
        node = shutil.which("node") or leave_out("node is not installed")
        return [node, str(SERVERS / "node_http.cjs"), str(port)]
    if name == "nginx":
        nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
        if nginx is None or not (NGINX_MODULES / "ngx_http_lua_module.so").exists():
            leave_out("nginx with its Lua module is not installed")
        configuration = directory / "nginx.conf"
        text = (SERVERS / "nginx.conf").read_text().format(modules=NGINX_MODULES, directory=directory, port=port)
        configuration.write_text(text)
        return [nginx, "-c", str(configuration), "-p", str(directory)]
    if name == "http.server":
        return [sys.executable, str(SERVERS / "standard_library.py"), str(port)]
    return [sys.executable, str(SERVERS / "asgi.py"), str(port), name.rpartition(" ")[2]]


@pytest.fixture(scope="module", params=NAMES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    port = reserve_port()
    started = command(request.param, port, tmp_path_factory.mktemp("server"))
    with running(request.param.replace(" ", "-"), started, clean_environment()) as child:
        _wait(child, port)
        yield request.param, port


def _wait(child: Child, port: int) -> None:
    child.wait_until_ready(f"http://127.0.0.1:{port}/ready")


@pytest.fixture(scope="module")
async def proxy(server: tuple[str, int]) -> AsyncIterator[ProxyServer]:
    async with running_proxy(lambda: [route_to("/open", server[1], reads_session=False)]) as proxy:
        yield proxy


def understood(answer: Message) -> tuple[bytes, bytes, bytes, list[tuple[bytes, bytes]]]:
    """Return method, target, body and fields as the server understood them."""
    document = json.loads(answer.body)
    fields = [(base64.b64decode(name).lower(), base64.b64decode(value)) for name, value in document["fields"]]
    method, target, body = (base64.b64decode(document[name]) for name in ("method", "target", "body"))
    return method, target, body, fields


async def final_answer(client: RawClient, *, to_head: bool) -> Message | None:
    while True:
        answer = await client.answer(to_head=to_head)
        if answer is None or answer.status >= 200:
            return answer


def is_chunked(data: bytes) -> bool:
    return b"transfer-encoding: chunked" in data.lower() or b"transfer-encoding:\tchunked" in data.lower()


async def check(proxy: ProxyServer, data: bytes, meant: list[tuple[bytes, bytes, bytes]]) -> None:
    """Send the requests and compare what the server understood; then it must understand the next one."""
    async with proxy.connection() as client:
        await client.send(data)
        for method, target, body in meant:
            answer = await final_answer(client, to_head=method == b"HEAD")
            assert answer is not None
            assert answer.status == 200, answer
            if method == b"HEAD":
                continue
            found = understood(answer)
            assert found[:3] == (method, target, body)
            names = [name for name, _ in found[3]]
            assert names.count(b"host") == names.count(b"x-request-id") == names.count(b"forwarded") == 1
            assert b"authorization" not in names
            assert b"cookie" not in names
            assert not any(b"_" in name for name in names)
    answer = await proxy.exchange(proxy.request(b"GET", b"/open/next"))
    assert answer is not None
    assert understood(answer)[:3] == (b"GET", b"/next", b"")


@pytest.mark.timeout(120)
async def test_what_passes_is_understood_as_it_was_meant(server: tuple[str, int], proxy: ProxyServer) -> None:
    failures = []
    for name, text, expected in PASSING:
        data = octets(text).replace(b"{H}", proxy.host)
        if (server[0] == WITHOUT_CHUNKS and is_chunked(data)) or (server[0], name) in ANSWERED_OTHERWISE:
            continue
        try:
            await check(proxy, data, [tuple(map(octets, request)) for request in expected])  # type: ignore[misc]
        except AssertionError as error:
            failures.append(f"{name}: {error}")
    assert failures == []


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"])
async def test_a_body_that_looks_like_something_else_is_a_body(
    method: bytes, server: tuple[str, int], proxy: ProxyServer
) -> None:
    for body in BODIES:
        await check(proxy, proxy.request(method, b"/open/x", b"", body), [(method, b"/x", body)])
        if server[0] != WITHOUT_CHUNKS:
            chunked = proxy.request(method, b"/open/x", b"Transfer-Encoding: chunked\r\n")
            chunked += b"%x;a=b\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(body), body)
            await check(proxy, chunked, [(method, b"/x", body)])
