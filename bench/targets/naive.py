"""The naive gateway as a process; its session is sealed JSON of the same size in the same Redis."""

from __future__ import annotations

import json
import secrets
import time
from importlib.metadata import version

import redis
from cryptography.fernet import Fernet

from bench.stage import Stage, python
from bench.targets.target import Target

NAME = "naive"


def start(stage: Stage) -> Target:
    """Start it."""
    port = stage.port()
    key = Fernet.generate_key()
    variables = {
        "NAIVE_PORT": str(port),
        "NAIVE_KEY": key.decode(),
        "NAIVE_REDIS_URL": stage.redis_url,
        "NAIVE_UPSTREAM_URL": stage.upstream_url,
    }
    child = stage.start(NAME, [python(), "-m", "bench.naive_gateway"], cores=stage.cores.server, variables=variables)
    headers = (f"Cookie: session={_plant(stage, key)}", "Sec-Fetch-Site: same-origin", "Accept: application/json")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("starlette", "httpx2", "redis", "uvicorn"))
    return Target(NAME, libraries, f"http://127.0.0.1:{port}/api/small", headers, child)


def _plant(stage: Stage, key: bytes) -> str:
    session = {
        "expires_at": time.time() + 8 * 3600,
        "access_token": f"ey{secrets.token_urlsafe(900)}"[:900],
        "id_token": secrets.token_urlsafe(900)[:900],
        "refresh_token": "",
    }
    # Fernet's base64 makes four bytes of three.
    session["refresh_token"] = "r" * max(0, stage.options.record_size * 3 // 4 - len(json.dumps(session)))
    handle = secrets.token_urlsafe(32)
    with redis.Redis(port=stage.redis_port) as client:
        client.set(f"session:{handle}", Fernet(key).encrypt(json.dumps(session).encode()), ex=8 * 3600)
    return handle
