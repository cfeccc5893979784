"""Configurations of nginx: as the upstream, and as the reference that passes on without a session."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

NGINX_MISSING: Final = "nginx is not installed"

# More idle connections than any run opens, and no limit of calls on one: neither side pays for reconnecting.
_KEPT: Final = 2048
_LIMITS: Final = "keepalive_requests 1000000000; keepalive_timeout 600s;"


def nginx_program() -> str | None:
    """Return the path of nginx, which distributions keep where only root looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin")


def json_body(size: int) -> str:
    """Return a JSON document of that many bytes."""
    empty = '{"id":1,"note":""}'
    return empty[:-2] + "x" * max(0, size - len(empty)) + empty[-2:]


def configuration(folder: Path, http: str, *, modules: str = "", events: str = "") -> str:
    """Return a whole configuration around the `http` block's content: one worker in the foreground, no privileges."""
    return f"""\
daemon off;
master_process on;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
{modules}
events {{ worker_connections 16384; {events} }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {_LIMITS}
{http}
}}
"""


def upstream_configuration(folder: Path, port: int, body_size: int) -> str:
    """Return the upstream's: a small JSON document, and what it was sent as credentials."""
    files = folder / "files"
    (files / "api").mkdir(parents=True)
    body = json_body(body_size)
    if body_size <= 2048:
        small = f"return 200 '{body}';"
    else:
        (files / "api" / "small").write_text(body)
        small = f"root {files}; open_file_cache max=16; sendfile on;"
    return configuration(
        folder,
        f"""\
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /api/small {{ {small} }}
        location = /api/credentials {{ return 200 "$http_authorization|$http_x_forwarded_access_token"; }}
    }}""",
    )


def upstream_block(upstream_port: int, kept: int = _KEPT) -> str:
    """Return a pool of connections to the upstream, called `api`; `kept` is how many idle ones it holds at most."""
    return f"""\
    upstream api {{ server 127.0.0.1:{upstream_port}; keepalive {kept}; {_LIMITS} }}"""


PASS_ON: Final = 'proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection "";'
"""The directives that pass a call on over a kept connection."""


def reference_configuration(folder: Path, port: int, upstream_port: int, kept: int = _KEPT) -> str:
    """Return the reference's: calls are passed on, nothing is looked up, nothing is logged."""
    return configuration(
        folder,
        f"""\
{upstream_block(upstream_port, kept)}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location /api/ {{ {PASS_ON} }}
    }}""",
    )


def bodies_upstream_configuration(folder: Path, port: int) -> str:
    """Return that of an upstream with one large file."""
    return configuration(
        folder,
        f"""\
    sendfile on;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /ready {{ return 200; }}
        location /down/ {{ alias {folder}/; }}
    }}""",
    )


def large_bodies_configuration(folder: Path, port: int, source_port: int, sink_port: int) -> str:
    """Return the reference's for large bodies: they pass as they come, and never touch a disk."""
    return configuration(
        folder,
        f"""\
    client_max_body_size 0;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location /down/ {{ proxy_pass http://127.0.0.1:{source_port}; proxy_http_version 1.1; }}
        location /up/ {{ proxy_pass http://127.0.0.1:{sink_port}; proxy_http_version 1.1; }}
    }}""",
    )


def sockets_configuration(folder: Path, port: int, upstream_port: int) -> str:
    """Return the reference's for WebSockets: frames pass unread."""
    return configuration(
        folder,
        f"""\
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location /socket {{
            proxy_pass http://127.0.0.1:{upstream_port};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_read_timeout 600s;
        }}
        location = /ready {{ return 200; }}
    }}""",
    )
