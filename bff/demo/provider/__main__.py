"""`python -m bff.demo.provider`: the provider on its own, on loopback."""

import argparse
import json
import os
from pathlib import Path

import uvicorn

from bff.demo.provider.app import create_provider
from bff.demo.provider.clients import Client
from bff.demo.provider.state import Policy


def main() -> None:
    """Serve until stopped; the client's secret is the variable PROVIDER_CLIENT_SECRET, not an argument."""
    options = parse_options()
    client = Client(
        client_id=options.client_id,
        name=options.client_name,
        secret=os.environ.get("PROVIDER_CLIENT_SECRET"),
        jwks=json.loads(options.client_jwks.read_text()) if options.client_jwks else None,
        redirect_uris=tuple(options.redirect_uri),
        post_logout_redirect_uris=tuple(options.post_logout_redirect_uri),
        backchannel_logout_uri=options.backchannel_logout_uri,
    )
    provider = create_provider(
        options.issuer or f"http://{options.host}:{options.port}",
        [client],
        audience=tuple(options.audience) or ("https://timesheets.example/api",),
        policy=Policy(
            access_token_lifetime=options.access_token_lifetime,
            refresh_mode=options.refresh_mode,
            automatic_login=options.auto_login,
            pushed_requests=options.pushed_requests,
        ),
        test_controls=options.test_controls,
    )
    # A drained shutdown would wait for requests that a test keeps on hold.
    uvicorn.run(
        provider,
        host=options.host,
        port=options.port,
        log_level="warning",
        timeout_graceful_shutdown=1,
        proxy_headers=False,
    )


def parse_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(prog="python -m bff.demo.provider", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="loopback address to listen on")
    add("--port", type=int, default=9000)
    add("--issuer", help="issuer identifier; default http://HOST:PORT")
    add("--client-id", default="timesheets")
    add("--client-name", default="Timesheets")
    add("--client-jwks", type=Path, metavar="FILE", help="the client's public keys, for private_key_jwt")
    add("--redirect-uri", action="append", default=[], help="may be repeated")
    add("--post-logout-redirect-uri", action="append", default=[], help="may be repeated")
    add("--backchannel-logout-uri")
    add("--audience", action="append", default=[], help="an API tokens may be for; the first is the default")
    add("--access-token-lifetime", type=int, default=300, help="seconds")
    add("--refresh-mode", choices=["rotate", "keep", "none"], default="rotate")
    add(
        "--auto-login",
        metavar="USER",
        help="log this user in without pages; 'hint': whoever login_hint names",
    )
    add("--pushed-requests", choices=["off", "on", "require"], default="off", help="RFC 9126")
    add("--test-controls", action="store_true", help="mount /test/control, /test/log and /test/secrets")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
