"""`python -m bff.demo.timesheets`: the timesheets API on its own, on loopback."""

import argparse

import uvicorn

from bff.demo.timesheets.app import create_timesheets


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m bff.demo.timesheets", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on")
    parser.add_argument("--port", type=int, default=9001)
    parser.add_argument("--issuer", required=True, help="whose access tokens are accepted")
    parser.add_argument("--audience", required=True, help="the audience they must be for")
    parser.add_argument("--approve-acr", help="the authentication context that approvals need (RFC 9470)")
    options = parser.parse_args()
    uvicorn.run(
        create_timesheets(options.issuer, options.audience, approve_acr=options.approve_acr),
        host=options.host,
        port=options.port,
        log_level="warning",
        timeout_graceful_shutdown=1,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
