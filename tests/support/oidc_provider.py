"""The certified npm package oidc-provider as a server of the tests; it needs Node.js and npm."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from joserfc.jwk import ECKey

from bff.demo.child import clean_environment
from bff.demo.users import USERS
from tests.support.left_out import leave_out
from tests.support.processes import AUDIENCE, ProviderServer, registration, reserve_port, running

PACKAGE = Path(__file__).resolve().parents[1] / "integration" / "oidc_provider"
OLDEST_NODE = 20
INSTALL_TIMEOUT = 110.0

RESERVED_CHARACTERS = ":%+& "
"""In every client secret: HTTP Basic authentication has to encode them first (RFC 6749 section 2.3.1)."""


@dataclasses.dataclass
class OidcProviderServer(ProviderServer):
    """The provider, seen by one of its clients; `settings` are the gateway's for that client."""

    settings: Mapping[str, str | None] = dataclasses.field(default_factory=dict, repr=False)
    clients: Mapping[str, Client] = dataclasses.field(default_factory=dict, repr=False)

    def seen_by(self, client_id: str) -> OidcProviderServer:
        """Return the same provider for another of its clients."""
        client = self.clients[client_id]
        return dataclasses.replace(
            self, client_id=client_id, client_secret=client.secret or "", settings=client.settings
        )

    def register(self, public_url: str) -> None:
        """Register the client it is seen by for a gateway at `public_url`."""
        self.control(client=registration(self.client_id, public_url))

    def secrets(self, kind: str | None = None) -> list[str]:
        """Return every code, verifier, token and assertion seen so far, or those of one kind; oldest first."""
        seen = self._call("GET", "secrets")
        return [secret["value"] for secret in seen if kind in (None, secret["kind"])]

    def requests(self, route: str, **members: str | int | None) -> list[dict[str, Any]]:
        """Return the logged requests to an endpoint that have these members."""
        logged = [request for request in self.log()["requests"] if request["route"] == route]
        return [request for request in logged if members.items() <= request.items()]

    def events(self) -> Counter[str]:
        """Return how often each event has happened."""
        return Counter(event["name"] for event in self.log()["events"])

    def errors(self) -> list[str]:
        """Return what went wrong at the provider."""
        return [f"{event['name']}: {event['error']}" for event in self.log()["events"] if "error" in event]


@dataclasses.dataclass(frozen=True)
class Client:
    """A way to be a client: what the provider registers, and what the gateway is told."""

    metadata: dict[str, Any]
    settings: dict[str, str | None]
    secret: str | None = None


def clients() -> dict[str, Client]:
    """Return one client for each way to authenticate, with fresh credentials."""
    basic, post = (secrets.token_urlsafe(24) + RESERVED_CHARACTERS for _ in range(2))
    key = ECKey.generate_key("P-256", parameters={"kid": "gateway-1", "alg": "ES256", "use": "sig"})
    return {
        "basic": Client(
            {"token_endpoint_auth_method": "client_secret_basic", "client_secret": basic},
            {"BFF_CLIENT_AUTH": "client_secret_basic", "BFF_PAR": "off"},
            basic,
        ),
        "post": Client(
            {"token_endpoint_auth_method": "client_secret_post", "client_secret": post},
            {"BFF_CLIENT_AUTH": "client_secret_post", "BFF_PAR": "auto"},
            post,
        ),
        "private-key": Client(
            {
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks": {"keys": [key.as_dict(private=False)]},
                "require_pushed_authorization_requests": True,
                "id_token_signed_response_alg": "ES256",
            },
            {
                "BFF_CLIENT_AUTH": "private_key_jwt",
                "BFF_CLIENT_KEY": json.dumps(key.as_dict(private=True)),
                "BFF_CLIENT_SECRET": None,
                "BFF_PAR": "require",
            },
        ),
    }


@contextmanager
def start_oidc_provider(
    *,
    refresh_tokens: str = "always",
    known: Mapping[str, Client] | None = None,
    security: Mapping[str, Any] | None = None,
    further_resources: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[OidcProviderServer]:
    """The provider on a free port, seen by its first client; left out where Node.js or the package is missing.

    `refresh_tokens` are issued `always` or `when consented`, to requests with `prompt=consent` alone. `known` are its
    clients, by default one for each way to authenticate with a secret or a key; `security` makes it one of FAPI 2.0.
    `further_resources` are APIs besides the timesheets, each with its scopes, which every user may have.
    """
    node, modules = installed()
    port = reserve_port()
    issuer = f"http://127.0.0.1:{port}"
    known = clients() if known is None else known
    permissions = {name for user in USERS.values() for name in user.permissions}
    configuration = {
        "issuer": issuer,
        "port": port,
        "resource": {"audience": AUDIENCE, "scope": " ".join(sorted(permissions))},
        "further_resources": dict(further_resources),
        "users": {
            user.username: {
                "claims": user.claims(("profile", "email")),
                "role": user.role,
                "permissions": [*sorted(user.permissions), *" ".join(further_resources.values()).split()],
            }
            for user in USERS.values()
        },
        "clients": {client_id: client.metadata for client_id, client in known.items()},
        "refresh_tokens": refresh_tokens,
        "security": security,
    }
    command = [node, str(PACKAGE / "provider.mjs"), str(modules)]
    environment = clean_environment(PROVIDER_CONFIGURATION=json.dumps(configuration))
    with running("oidc-provider", command, environment) as child:
        ready_url = f"{issuer}/.well-known/openid-configuration"
        child.wait_until_ready(ready_url)
        first = OidcProviderServer(issuer, port, child, ready_url, "", "", AUDIENCE, clients=known)
        yield first.seen_by(next(iter(known)))


def installed(package: Path = PACKAGE, what: str = "The certified oidc-provider") -> tuple[str, Path]:
    """Return Node.js and a folder with the locked packages, installed into the user's cache the first time."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        leave_out(f"{what} needs Node.js and npm.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        leave_out(f"{what} needs Node.js {OLDEST_NODE} or later; this is {version}.")
    lock = package / "package-lock.json"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bff-tests"
    folder = cache / f"{package.name.replace('_', '-')}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix="packages-", dir=cache))
        try:
            _install(npm, package, unfinished, what)
            # Another run may have been quicker; what it has put there is the same.
            with contextlib.suppress(OSError):
                unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return node, folder


def _install(npm: str, package: Path, folder: Path, what: str) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(package / name, folder)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=INSTALL_TIMEOUT, check=True
        )
    except subprocess.TimeoutExpired:
        leave_out(f"{what} could not be installed: npm ci took too long.")
    except subprocess.CalledProcessError as failed:
        leave_out(f"{what} could not be installed: {_first_error(failed.stderr)}")


def _first_error(output: str) -> str:
    errors = [line for line in output.splitlines() if "error" in line.lower()]
    return (errors or ["npm ci failed"])[0].strip()
