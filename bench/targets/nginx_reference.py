"""The floor: nginx's `proxy_pass`, no session; with as many kept connections as are useful, and with 64 of them."""

from __future__ import annotations

from bench.nginx import NGINX_MISSING, nginx_program, reference_configuration
from bench.stage import Missing, Stage, first_line
from bench.targets.target import Target

NAME = "nginx"
FEW_KEPT_NAME = "nginx keepalive 64"
_MANY, _FEW = 2048, 64


def start(stage: Stage) -> Target:
    """Start it; raises `Missing`."""
    return _start(stage, NAME, _MANY)


def start_with_few_kept(stage: Stage) -> Target:
    """Start it with 64 idle connections at most, as it is often configured; raises `Missing`."""
    return _start(stage, FEW_KEPT_NAME, _FEW)


def _start(stage: Stage, name: str, kept: int) -> Target:
    program = nginx_program()
    if program is None:
        raise Missing(NGINX_MISSING)
    label = f"nginx-reference-{kept}"
    port, folder = stage.port(), stage.folder(label)
    configuration = folder / "nginx.conf"
    configuration.write_text(reference_configuration(folder, port, stage.upstream_port, kept))
    url = f"http://127.0.0.1:{port}/api/small"
    command = [program, "-p", str(folder), "-c", str(configuration)]
    child = stage.start(label, command, cores=stage.cores.server, ready_url=url)
    version = first_line([program, "-v"]).rpartition("/")[2]
    return Target(name, f"nginx {version}", url, (), child, token_reaches_upstream=False)
