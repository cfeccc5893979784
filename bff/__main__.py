"""The command line: `bff serve`, `check`, `jwks` and `keygen`. The only place that reads the process's environment."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import click

from bff.errors import SettingsInvalid
from bff.oauth.signing_key import parse_signing_keys
from bff.settings import Settings, load_secret, load_settings
from bff.settings.profile import PROFILE_ALGORITHMS
from bff.stores.redis_address import parse_redis_address

if TYPE_CHECKING:
    from bff.check.report import Report

_CONFIGURATION_UNUSABLE = 2


def _checks() -> dict[str, Callable[[str], object]]:
    """Return what only those who use a secret can say of it, so that it is reported with all other faults."""
    algorithms = PROFILE_ALGORITHMS if os.environ.get("BFF_PROFILE", "").strip() else None
    return {
        "BFF_CLIENT_KEY": partial(parse_signing_keys, algorithms=algorithms),
        "BFF_REDIS_URL": parse_redis_address,
    }


def _settings() -> Settings:
    """Return the settings of the environment; the end if there are none."""
    try:
        return load_settings(os.environ, checks=_checks())
    except SettingsInvalid as invalid:
        click.echo(f"bff cannot start: {len(invalid.faults)} fault(s) in the configuration", err=True)
        _end(invalid)


def _end(invalid: SettingsInvalid) -> NoReturn:
    for fault in invalid.faults:
        click.echo(f"  {fault}", err=True)
    sys.exit(_CONFIGURATION_UNUSABLE)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bff")
def main() -> None:
    """A backend-for-frontend session gateway, configured by environment variables alone."""


@main.command()
def serve() -> None:
    """Run the gateway."""
    settings = _settings()
    # Imported here so that a faulty configuration is reported without waiting for the server's libraries.
    from bff.server import serve as run

    run(settings)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(as_json: bool) -> None:
    """Contact provider, session store and upstreams; report what will not work, and how to mend it.

    Exit status: 0 good, 1 degraded, 2 unusable.
    """
    # Imported here: the other commands do without it.
    from bff.check import check_environment

    def show(report: Report) -> None:
        if as_json:
            click.echo(json.dumps(report.document(), indent=2, ensure_ascii=False))
        else:
            click.echo(report.text(colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR")), nl=False)

    sys.exit(check_environment(os.environ, checks=_checks(), show=show))


@main.command()
def jwks() -> None:
    """Print the public halves of the keys in BFF_CLIENT_KEY as a JWK Set, to be registered at the provider.

    No other variable is needed for it, as there may be no client yet.
    """
    try:
        key = load_secret("BFF_CLIENT_KEY", os.environ, check=_checks()["BFF_CLIENT_KEY"])
    except SettingsInvalid as invalid:
        click.echo("bff cannot read the client's key", err=True)
        _end(invalid)
    if key is None:
        click.echo("Neither BFF_CLIENT_KEY nor BFF_CLIENT_KEY_FILE is set: there is no key to register.", err=True)
        sys.exit(_CONFIGURATION_UNUSABLE)
    keys = [each.public_jwk() for each in parse_signing_keys(key.reveal())]
    click.echo(json.dumps({"keys": keys}, indent=2))


@main.command()
def keygen() -> None:
    """Print a fresh key for BFF_SECRET_KEYS."""
    click.echo(base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode("ascii"))


if __name__ == "__main__":
    main()
