"""The relying parties that certification plans play with: gateways with the settings of the plans."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certification.credentials import make_credentials
from tests.certification.plan import Module, Plan
from tests.certification.run import client_settings
from tests.certification.upstream import Upstream
from tests.support.certificates import authority_certificate, server_context
from tests.support.deployment import Deployment, deployed
from tests.support.fapi_realm import ACCOUNTS, FapiClient, FapiRealm
from tests.support.leaks import Ledger
from tests.support.lying_provider import Realm
from tests.support.realm_server import RealmServer

OWN_SCOPES = ("happy-path", "without-nonces", "token-type")


class RelyingParties:
    """Starts a gateway when a plan first needs its settings; plans with the same settings share it."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.ledger = Ledger()
        self._directory = directory
        self._credentials = make_credentials(directory / "credentials")
        self._stack = stack
        self._plain = stack.enter_context(RealmServer(self.ledger).running())
        self._secure = stack.enter_context(RealmServer(self.ledger, self._context()).running())
        self._started: dict[str, Deployment] = {}
        self._realms = 0

    def of(self, plan: Plan) -> Deployment:
        """The gateway with the settings of this plan."""
        key = json.dumps(dict(plan.settings), sort_keys=True)
        if key not in self._started:
            self._started[key] = self._stack.enter_context(self._deployed(self.realm(plan), plan.settings, plan))
        return self._started[key]

    @contextmanager
    def alone(self, realm: Realm, plan: Plan, module: Module) -> Iterator[Deployment]:
        """A gateway for one module, which may never become ready."""
        settings = {**plan.settings, **module.settings}
        with self._deployed(realm, settings, plan, ready_path="/healthz") as deployment:
            yield deployment

    def realm(self, plan: Plan) -> Realm:
        """A provider of its own for a gateway with the settings of this plan."""
        self._realms += 1
        path = f"/realms/{self._realms}"
        if not plan.is_financial:
            return self._plain.realm(path)
        return self._secure.add(path, FapiRealm(f"{self._secure.url}{path}", self.ledger, self._client(plan)))

    @property
    def faults(self) -> list[str]:
        """What no client should have sent."""
        return [*self._plain.faults, *self._secure.faults]

    @contextmanager
    def _deployed(
        self, realm: Realm, settings: Any, plan: Plan, *, ready_path: str = "/readyz"
    ) -> Iterator[Deployment]:
        page = self._directory / "page"
        page.mkdir(exist_ok=True)
        (page / "index.html").write_text("<!doctype html><title>Certification</title>\n")
        variables: dict[str, str | None] = {"BFF_STATIC_DIR": str(page), **settings}
        if plan.is_financial:
            accounts = f"{realm.issuer}{ACCOUNTS}"
            routes = [{"prefix": "/api", "upstream": accounts, "token": "user"}]
            # The gateway keeps tokens of its own by scope: a module that wants to see it ask has a scope of its own.
            routes += [
                {"prefix": f"/own/{scope}", "upstream": accounts, "token": "client", "scope": scope}
                for scope in OWN_SCOPES
            ]
            variables |= {
                "BFF_CLIENT_SECRET": None,
                "BFF_UPSTREAM_URL": None,
                "BFF_ROUTES": json.dumps(routes),
                "BFF_CA_FILE": str(self._directory / "authority.pem"),
                **client_settings(plan, self._credentials),
            }
        with Upstream() as api, deployed(realm, api, self.ledger, ready_path=ready_path, **variables) as deployment:
            try:
                yield deployment
            finally:
                self.ledger.text("a gateway's log", deployment.gateway.output())

    def _client(self, plan: Plan) -> FapiClient:
        variant = plan.variant
        return FapiClient(
            jwks=self._credentials.client_jwks,
            certificate=x509.load_pem_x509_certificate(self._credentials.certificate.encode()).public_bytes(
                Encoding.DER
            ),
            has_key=variant["client_auth_type"] == "private_key_jwt",
            is_bound_to_key=variant["sender_constrain"] == "dpop",
            is_signed=variant.get("fapi_response_mode") == "jarm",
        )

    def _context(self) -> ssl.SSLContext:
        (self._directory / "authority.pem").write_bytes(authority_certificate())
        context = server_context(self._directory)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self._credentials.certificate)
        return context
