"""Express with express-openid-connect and http-proxy-middleware, sessions in Redis."""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path

from bench.provider import log_in, register
from bench.stage import Missing, Stage
from bench.targets.target import Target

NAME = "express-openid-connect"
PACKAGES = ("express", "express-openid-connect", "http-proxy-middleware", "connect-redis", "redis")
PROGRAM = Path(__file__).with_name("express_gateway.cjs")


def start(stage: Stage) -> Target:
    """Start it and log in; raises `Missing`, `LoginFailed`."""
    node, directory = shutil.which("node"), stage.options.express_path
    if node is None:
        raise Missing("node is not installed")
    if directory is None or not all((directory / "node_modules" / name).is_dir() for name in PACKAGES):
        raise Missing(f"no directory with {', '.join(PACKAGES)} (name it with --express-path)")
    port = stage.port()
    origin = f"http://127.0.0.1:{port}"
    provider = register(stage, NAME, f"{origin}/callback")
    variables = {
        "NODE_ENV": "production",
        "PORT": str(port),
        "BASE_URL": origin,
        "ISSUER": provider.issuer,
        "CLIENT_ID": provider.client_id,
        "CLIENT_SECRET": provider.client_secret,
        "SECRET": secrets.token_urlsafe(32),
        "REDIS_URL": stage.redis_url,
        "UPSTREAM": stage.upstream_url,
        "NODE_MODULES": str(directory.resolve() / "node_modules"),
    }
    child = stage.start(
        NAME, [node, str(PROGRAM)], cores=stage.cores.server, variables=variables, ready_url=f"{origin}/open"
    )
    url = f"{origin}/api/small"
    headers = (f"Cookie: {log_in(url)}", "Sec-Fetch-Site: same-origin", "Accept: application/json")
    versions = ", ".join(f"{name} {_version(directory, name)}" for name in PACKAGES[:3])
    return Target(NAME, versions, url, headers, child)


def _version(directory: Path, name: str) -> str:
    manifest = json.loads((directory / "node_modules" / name / "package.json").read_text())
    return str(manifest["version"])
