"""The floor: nginx's `proxy_pass`, no session."""

from __future__ import annotations

from bench.nginx import NGINX_MISSING, nginx_program, reference_configuration
from bench.stage import Missing, Stage, first_line
from bench.targets.target import Target

NAME = "nginx"


def start(stage: Stage) -> Target:
    """Start it; raises `Missing`."""
    program = nginx_program()
    if program is None:
        raise Missing(NGINX_MISSING)
    port, folder = stage.port(), stage.folder("nginx-reference")
    configuration = folder / "nginx.conf"
    configuration.write_text(reference_configuration(folder, port, stage.upstream_port))
    url = f"http://127.0.0.1:{port}/api/small"
    command = [program, "-p", str(folder), "-c", str(configuration)]
    child = stage.start("nginx-reference", command, cores=stage.cores.server, ready_url=url)
    version = first_line([program, "-v"]).rpartition("/")[2]
    return Target(NAME, f"nginx {version}", url, (), child, token_reaches_upstream=False)
