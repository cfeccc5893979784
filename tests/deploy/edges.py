"""The edges of `deploy/` as running servers: their own configuration, with ports and files of a test."""

from __future__ import annotations

import re
import shutil
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bff.demo.child import Child, clean_environment
from tests.deploy.documents import DEPLOY
from tests.support.left_out import leave_out
from tests.support.processes import reserve_port, running
from tests.support.server_certificates import server_certificate

HOST = "app.example.com"
NGINX = DEPLOY / "nginx" / "bff.conf"
CADDYFILE = DEPLOY / "caddy" / "Caddyfile"


@dataclass(frozen=True)
class Place:
    """Where an edge is to listen, where its gateway listens, and a directory for its files."""

    port: int
    plain_port: int
    gateway_port: int
    directory: Path

    @property
    def public_url(self) -> str:
        """The origin browsers use."""
        return f"https://{HOST}:{self.port}"


@dataclass(frozen=True)
class Edge:
    """A running edge: whom its clients have to trust, and how to read its access log."""

    place: Place
    trust: Callable[[], ssl.SSLContext]
    access_log: Callable[[], str]


def new_place(directory: Path) -> Place:
    """Return a place on ports that nobody uses."""
    return Place(reserve_port(), reserve_port(), reserve_port(), directory)


def nginx_configuration(place: Place) -> Path:
    """Write a whole configuration around the example; return its path."""
    authority, server = server_certificate(place.directory, HOST)
    example = NGINX.read_text(encoding="utf-8")
    # On loopback alone, and without IPv6, which not every machine has.
    example = re.sub(r"(?m)^ +listen \[::\]:.*\n", "", example)
    for old, new in {
        "listen 443": f"listen 127.0.0.1:{place.port}",
        "listen 80": f"listen 127.0.0.1:{place.plain_port}",
        "server 127.0.0.1:8080": f"server 127.0.0.1:{place.gateway_port}",
        f"/etc/nginx/tls/{HOST}.crt": str(server),
        f"/etc/nginx/tls/{HOST}.key": str(server),
        "/var/log/nginx/bff.log": str(place.directory / "access.log"),
    }.items():
        assert old in example, old
        example = example.replace(old, new)
    assert authority.is_file()
    directories = [
        f"{module}_temp_path {place.directory}/{module};"
        for module in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    ]
    path = place.directory / "nginx.conf"
    path.write_text(
        f"daemon off;\nmaster_process off;\npid {place.directory}/nginx.pid;\nevents {{}}\n"
        f"http {{\n{chr(10).join(directories)}\n{example}\n}}\n",
        encoding="utf-8",
    )
    return path


def nginx_command(*arguments: str) -> list[str]:
    """Return the command that runs nginx, its errors on standard error."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if binary is None:
        leave_out("nginx is not installed")
    return [binary, "-e", "stderr", *arguments]


@contextmanager
def nginx(place: Place) -> Iterator[Edge]:
    """Run nginx with the example."""
    command = nginx_command("-p", str(place.directory), "-c", str(nginx_configuration(place)))
    with running("nginx", command, clean_environment()):
        authority, log = place.directory / "authority.pem", place.directory / "access.log"
        yield Edge(place, lambda: ssl.create_default_context(cafile=authority), lambda: log.read_text(encoding="utf-8"))


def caddy_command(*arguments: str) -> list[str]:
    """Return the command that runs Caddy."""
    binary = shutil.which("caddy")
    if binary is None:
        leave_out("Caddy is not installed")
    return [binary, *arguments]


def caddy_environment(place: Place) -> dict[str, str]:
    """Return the variables of the example, and a home of its own."""
    return clean_environment(
        BFF_PUBLIC_URL=place.public_url,
        GATEWAY=f"127.0.0.1:{place.gateway_port}",
        HOME=str(place.directory),
        XDG_DATA_HOME=str(place.directory),
        XDG_CONFIG_HOME=str(place.directory),
    )


def caddy_configuration(place: Place) -> Path:
    """Write a configuration that takes in the example as it is, with certificates of its own; return its path."""
    path = place.directory / "Caddyfile"
    path.write_text(
        "{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tdefault_bind 127.0.0.1\n"
        f"\thttp_port {place.plain_port}\n\thttps_port {place.port}\n}}\nimport {CADDYFILE}\n",
        encoding="utf-8",
    )
    return path


@contextmanager
def caddy(place: Place) -> Iterator[Edge]:
    """Run Caddy with the example."""
    command = caddy_command("run", "--config", str(caddy_configuration(place)))
    with running("caddy", command, caddy_environment(place)) as child:
        root = place.directory / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        yield Edge(place, lambda: ssl.create_default_context(cafile=root), lambda: _caddy_access_log(child))


EDGES: Mapping[str, Callable[[Place], AbstractContextManager[Edge]]] = {"nginx": nginx, "caddy": caddy}


def _caddy_access_log(child: Child) -> str:
    return "\n".join(line for line in child.output().splitlines() if "http.log.access" in line)
