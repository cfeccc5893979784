"""An API in Express with npm's express-oauth2-jwt-bearer, as a server of the tests; it needs Node.js and npm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bff.demo.child import clean_environment
from tests.support.oidc_provider import installed
from tests.support.processes import Server, reserve_port, running

PACKAGE = Path(__file__).resolve().parents[1] / "integration" / "express_api"


@contextmanager
def start_express_api(issuer: str, audience: str, *, is_bound: bool = False) -> Iterator[Server]:
    """The API for access tokens of this issuer for this audience; left out where Node.js or a package is missing.

    If `is_bound` it takes no token that is not bound to a key (RFC 9449).
    """
    node, modules = installed(PACKAGE, "The API with express-oauth2-jwt-bearer")
    port = reserve_port()
    configuration = {"issuer": issuer, "audience": audience, "port": port, "is_bound": is_bound}
    environment = clean_environment(API_CONFIGURATION=json.dumps(configuration))
    with running("express-api", [node, str(PACKAGE / "server.mjs"), str(modules)], environment) as child:
        url = f"http://127.0.0.1:{port}"
        child.wait_until_ready(f"{url}/healthz")
        yield Server(url, port, child, f"{url}/healthz")
