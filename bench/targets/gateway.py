"""The gateway itself: `bff serve` as a process, with a session that its own store code has written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from bench.stage import Stage, first_line, python
from bench.targets.target import Target
from bff.demo.child import clean_environment

NAME = "bff"
PLANT = Path(__file__).resolve().parents[1] / "plant.py"


def start(
    stage: Stage,
    *,
    name: str = NAME,
    checkout: Path | None = None,
    sessions: int = 1,
    shown: int = 1,
    **variables: str,
) -> Target:
    """Start it with further settings, and that many sessions stored, `shown` of which can be used.

    It is that of the options unless another `checkout` is given; raises `ChildError`.
    """
    port, checkout = stage.port(), checkout or stage.options.gateway
    # The directory this was started in must not come before the checkout that was named.
    paths = {"PYTHONPATH": str(checkout), "PYTHONSAFEPATH": "1"}
    environment = {**settings(stage, port), **paths, **variables}
    cookies = plant(environment, count=sessions, size=stage.options.record_size, shown=shown)
    child = stage.start(
        name.replace(" ", "-"),
        [python(), "-m", "bff", "serve"],
        cores=stage.cores.server,
        variables=environment,
        ready_url=f"http://127.0.0.1:{port}/healthz",
    )
    url = f"http://127.0.0.1:{port}/api/small"
    return Target(name, version_of(checkout), url, headers_for(cookies[0]), child, cookies=tuple(cookies))


def settings(stage: Stage, port: int) -> dict[str, str]:
    """Return the gateway's environment; the provider is never asked, since the session's token does not expire."""
    return {
        "BFF_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "BFF_PORT": str(port),
        "BFF_ISSUER": "http://127.0.0.1:9",
        "BFF_CLIENT_ID": "bench",
        "BFF_CLIENT_SECRET": "bench-secret-0123456789",
        "BFF_SECRET_KEYS": "bench-key-bench-key-bench-key-bench-key-123",
        "BFF_REDIS_URL": stage.redis_url,
        "BFF_UPSTREAM_URL": f"{stage.upstream_url}/api",
        "BFF_SESSION_IDLE": "8h",
        "BFF_METRICS_PORT": str(stage.port()),
    }


def plant(environment: Mapping[str, str], *, count: int, size: int, shown: int = 1) -> list[str]:
    """Write sessions of `size` sealed bytes into the store; return the cookies of the last `shown` of them."""
    command = [python(), str(PLANT), "--count", str(count), "--size", str(size), "--shown", str(shown)]
    done = subprocess.run(
        command, env=clean_environment(**environment), capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode != 0:
        raise RuntimeError(f"no session could be written: {done.stderr.strip()[-2000:]}")
    cookies: list[str] = json.loads(done.stdout)
    return cookies


def headers_for(cookie: str) -> tuple[str, ...]:
    """Return the header fields that a script of the application's own page would send."""
    return (f"Cookie: {cookie}", "Sec-Fetch-Site: same-origin", "Accept: application/json")


def version_of(checkout: Path) -> str:
    """Return the commit of a checkout, or that it is none."""
    commit = first_line(["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=7"])
    return f"bff {commit or 'without history'}"
