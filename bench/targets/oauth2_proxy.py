"""oauth2-proxy with sessions in Redis, as it comes; the access token goes to the upstream."""

from __future__ import annotations

import secrets
import shutil
import subprocess

from bench.provider import log_in, register
from bench.stage import Missing, Stage, first_line
from bench.targets.target import Target

NAME = "oauth2-proxy"


def start(stage: Stage) -> Target:
    """Start it and log in; raises `Missing`, `LoginFailed`."""
    program = shutil.which(stage.options.oauth2_proxy)
    if program is None:
        raise Missing("oauth2-proxy is not installed")
    port = stage.port()
    origin = f"http://127.0.0.1:{port}"
    provider = register(stage, NAME, f"{origin}/oauth2/callback")
    command = [
        program,
        "--provider=oidc",
        f"--oidc-issuer-url={provider.issuer}",
        f"--client-id={provider.client_id}",
        f"--client-secret={provider.client_secret}",
        f"--redirect-url={origin}/oauth2/callback",
        "--scope=openid profile email offline_access",
        "--code-challenge-method=S256",
        "--email-domain=*",
        "--skip-provider-button",
        f"--cookie-secret={secrets.token_urlsafe(24)}",
        "--cookie-secure=false",
        "--session-store-type=redis",
        f"--redis-connection-url={stage.redis_url}",
        "--pass-access-token",
        f"--upstream={stage.upstream_url}/",
        f"--http-address=127.0.0.1:{port}",
    ]
    child = stage.start(NAME, command, cores=stage.cores.server, ready_url=f"{origin}/ping")
    url = f"{origin}/api/small"
    headers = (f"Cookie: {log_in(url)}", "Sec-Fetch-Site: same-origin", "Accept: application/json")
    return Target(NAME, _version(program), url, headers, child)


def _version(program: str) -> str:
    said = first_line([program, "--version"])
    go = shutil.which("go")
    if "undefined" not in said or go is None:
        return said
    # Built by `go install`, it does not know its version; what it was built from does.
    built = subprocess.run([go, "version", "-m", program], capture_output=True, text=True, check=False).stdout
    module = next((line.split() for line in built.splitlines() if line.strip().startswith("mod")), [])
    return f"oauth2-proxy {module[2]}" if len(module) > 2 else said
