"""nginx and Caddy with the examples' configuration, running in front of the gateway."""

from __future__ import annotations

import http.server
import json
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Origin

from bff.proxy.patience import KEEP_ALIVE
from tests.certification.browser import Browser
from tests.deploy.edges import (
    CADDYFILE,
    EDGES,
    HOST,
    NGINX,
    Edge,
    caddy_command,
    caddy_configuration,
    caddy_environment,
    new_place,
    nginx_command,
    nginx_configuration,
)
from tests.support.processes import GatewayServer, start_gateway, start_provider

START_TIMEOUT = 20.0
MAX_BODY = 2**21
"""Bytes; twice what nginx takes unless told otherwise."""


@dataclass
class Api:
    """An upstream that sends the first event of a stream, and the second when it is told to."""

    url: str = ""
    heads: list[dict[str, str]] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Site:
    """An edge, its gateway, and the API behind it."""

    edge: Edge
    gateway: GatewayServer
    api: Api

    def client(self) -> httpx2.Client:
        """A client of the site that is no browser."""
        return httpx2.Client(verify=self.edge.trust(), trust_env=False, base_url=self.edge.place.public_url, timeout=10)


@pytest.fixture(scope="module", autouse=True)
def name_service() -> Iterator[None]:
    """The public host is this machine."""
    resolve = socket.getaddrinfo

    def resolve_here(host: Any, *arguments: Any, **named: Any) -> Any:
        return resolve("127.0.0.1" if host in (HOST, HOST.encode()) else host, *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve_here)
        yield


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    api = Api()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            api.heads.append({name.lower(): value for name, value in self.headers.items()})
            is_stream = self.path == "/events"
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream" if is_stream else "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in ("first", "second") if is_stream else ("{}",):
                if event == "second":
                    api.go_on.wait(30)
                data = f"data: {event}\n\n".encode() if is_stream else event.encode()
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *arguments: object) -> None:
            """Stay silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield api
    api.go_on.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def echo_url() -> Iterator[str]:
    """The URL of a server that echoes what comes over its WebSockets."""

    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(echo, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module", params=EDGES)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, api: Api, echo_url: str
) -> Iterator[Site]:
    place = new_place(tmp_path_factory.mktemp(request.param))
    with ExitStack() as stack:
        provider = stack.enter_context(start_provider())
        gateway = stack.enter_context(
            start_gateway(
                provider,
                api.url,
                None,
                public_url=place.public_url,
                BFF_TRUSTED_PROXIES="127.0.0.1",
                BFF_MAX_BODY=str(MAX_BODY),
                BFF_ROUTES=json.dumps([{"prefix": "/live", "upstream": echo_url, "websocket": True}]),
            )
        )
        edge = stack.enter_context(EDGES[request.param](replace(place, gateway_port=gateway.port)))
        site = Site(edge, gateway, api)
        await_site(site)
        yield site


@pytest.fixture
def browser(site: Site) -> Iterator[Browser]:
    with Browser(site.edge.trust()) as browser:
        browser.open(f"{site.edge.place.public_url}/bff/login?login_hint=alice&return_to=/")
        yield browser


def test_a_login_leads_through_the_edge_and_back(site: Site, browser: Browser) -> None:
    assert browser.page == f"{site.edge.place.public_url}/"
    assert "__Host-Http-bff" in browser.cookies.names(HOST)
    assert browser.fetch("/bff/session").json()["authenticated"] is True
    assert browser.fetch("/api/sheets").status == 200
    head = site.api.heads[-1]
    assert head["authorization"].startswith("Bearer ")
    assert "cookie" not in head


def test_a_logout_leads_through_the_edge(browser: Browser) -> None:
    assert browser.fetch("/bff/logout", method="POST", headers={"accept": "application/json"}).status == 200
    assert browser.fetch("/bff/session").json()["authenticated"] is False


def test_events_arrive_as_they_are_sent(site: Site, browser: Browser) -> None:
    site.api.go_on.clear()
    headers = {"sec-fetch-site": "same-origin", "accept": "text/event-stream"}
    cookie = browser.cookies.header(f"{site.edge.place.public_url}/", same_site=True, top_level_get=False)
    with (
        site.client() as client,
        client.stream("GET", "/api/events", headers={**headers, "cookie": cookie or ""}) as got,
    ):
        chunks = got.iter_bytes()
        assert next(chunks) == b"data: first\n\n"
        site.api.go_on.set()
        assert b"".join(chunks) == b"data: second\n\n"


def test_a_websocket_passes_and_is_told_when_its_session_ends(site: Site, browser: Browser) -> None:
    public_url = site.edge.place.public_url
    cookie = browser.cookies.header(f"{public_url}/", same_site=True, top_level_get=False)
    url = f"{public_url.replace('https', 'wss')}/live/socket"
    fields = {"Cookie": cookie or ""}
    with connect(url, ssl=site.edge.trust(), origin=Origin(public_url), additional_headers=fields, proxy=None) as it:
        for message in ("hello", b"\x00" * 100_000):
            it.send(message)
            assert it.recv(30) == message
        assert browser.fetch("/bff/logout", method="POST", headers={"accept": "application/json"}).status == 200
        with pytest.raises(ConnectionClosed):
            it.recv(30)
    assert (it.protocol.close_code, it.protocol.close_reason) == (1008, "session_ended")


def test_the_clients_address_is_what_the_edge_saw_and_not_what_the_client_says(site: Site, browser: Browser) -> None:
    claimed = {"x-forwarded-for": "192.0.2.66", "forwarded": "for=192.0.2.66", "x-real-ip": "192.0.2.66"}
    answer = browser.fetch("/api/sheets", headers=claimed)
    assert logged(site.gateway, answer.headers["x-request-id"])["client"] == "127.0.0.1"
    assert "192.0.2.66" not in site.api.heads[-1]["x-forwarded-for"]
    assert "192.0.2.66" not in site.api.heads[-1]["forwarded"]


def test_the_access_log_has_paths_and_no_queries(site: Site, browser: Browser) -> None:
    browser.fetch("/api/sheets?secret=sesame")
    log = site.edge.access_log()
    assert "/bff/callback" in log
    assert "/api/sheets" in log
    assert not [word for word in ("code=", "state=", "sesame", "__Host-Http-bff") if word in log]


def test_plain_http_is_sent_to_https(site: Site) -> None:
    url = f"http://{HOST}:{site.edge.place.plain_port}/deep/link?x=1"
    answer = httpx2.get(url, trust_env=False)
    assert answer.status_code == 308
    location = httpx2.URL(answer.headers["location"])
    assert (location.scheme, location.host, location.raw_path) == ("https", HOST, b"/deep/link?x=1")


def test_another_name_gets_no_certificate(site: Site) -> None:
    context = site.edge.trust()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", site.edge.place.port)) as connection,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(connection, server_hostname="evil.example")


def test_a_large_body_is_for_the_gateway_to_refuse(browser: Browser) -> None:
    answer = browser.fetch("/api/sheets", method="POST", content=b"x" * 2 * MAX_BODY)
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")


def test_nginx_accepts_the_example(tmp_path: Path) -> None:
    command = nginx_command("-t", "-q", "-c", str(nginx_configuration(new_place(tmp_path))))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_caddy_accepts_the_example(tmp_path: Path) -> None:
    place = new_place(tmp_path)
    for arguments in (["validate", "--config", str(caddy_configuration(place))], ["fmt", "--diff", str(CADDYFILE)]):
        command = caddy_command(*arguments)
        done = subprocess.run(command, env=caddy_environment(place), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def logged(gateway: GatewayServer, request_id: str) -> dict[str, Any]:
    """Return the gateway's log line of a request, as soon as it has been written."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        for line in gateway.output().splitlines():
            if request_id in line:
                record: dict[str, Any] = json.loads(line)
                return record
        time.sleep(0.05)
    raise AssertionError(f"no line for {request_id}")


def test_an_idle_connection_is_closed_by_the_edge_before_the_gateway_does() -> None:
    (nginx_idle,) = re.findall(r"(?m)^    keepalive_timeout (\d+)s;$", NGINX.read_text(encoding="utf-8"))
    (caddy_idle,) = re.findall(r"(?m)^\t+keepalive (\d+)s$", CADDYFILE.read_text(encoding="utf-8"))
    assert int(nginx_idle) < KEEP_ALIVE
    assert int(caddy_idle) < KEEP_ALIVE


def await_site(site: Site) -> None:
    """Return when the gateway answers through the edge."""
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            with site.client() as client:
                assert client.get("/healthz").status_code == 200
                return
        except (OSError, AssertionError, httpx2.HTTPError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
