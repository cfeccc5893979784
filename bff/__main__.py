"""The command line: `bff serve`, `bff keygen`. The only place that reads the process's environment."""

from __future__ import annotations

import base64
import os
import secrets
import sys

import click

from bff.errors import SettingsInvalid
from bff.oauth.signing_key import parse_signing_keys
from bff.settings import load_settings
from bff.stores.redis_address import parse_redis_address

_CONFIGURATION_UNUSABLE = 2
_CHECKS = {"BFF_CLIENT_KEY": parse_signing_keys, "BFF_REDIS_URL": parse_redis_address}
"""What only those who use a secret can say of it, so that it is reported with all other faults."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bff")
def main() -> None:
    """A backend-for-frontend session gateway, configured by environment variables alone."""


@main.command()
def serve() -> None:
    """Run the gateway."""
    try:
        settings = load_settings(os.environ, checks=_CHECKS)
    except SettingsInvalid as invalid:
        click.echo(f"bff cannot start: {len(invalid.faults)} fault(s) in the configuration", err=True)
        for fault in invalid.faults:
            click.echo(f"  {fault}", err=True)
        sys.exit(_CONFIGURATION_UNUSABLE)
    # Imported here so that a faulty configuration is reported without waiting for the server's libraries.
    from bff.server import serve as run

    run(settings)


@main.command()
def keygen() -> None:
    """Print a fresh key for BFF_SECRET_KEYS."""
    click.echo(base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode("ascii"))


if __name__ == "__main__":
    main()
