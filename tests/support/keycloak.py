"""Keycloak with the realm of `deploy/keycloak` as a server of the tests; it needs Java and Maven."""

from __future__ import annotations

import dataclasses
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.support.keycloak_installation import installed, started
from tests.support.processes import AUDIENCE, ProviderServer, reserve_port

DEPLOYMENT = Path(__file__).resolve().parents[2] / "deploy" / "keycloak"
REALM_FILE = DEPLOYMENT / "timesheets-realm.json"
REALM = "timesheets"
CLIENT = "bff"
ADMINISTRATOR = "administrator"


@dataclasses.dataclass
class KeycloakServer(ProviderServer):
    """Keycloak, with what its administrator can do; `url` is the issuer."""

    origin: str
    password: str = dataclasses.field(repr=False)

    def control(self, **wishes: Any) -> dict[str, Any]:
        """Check that the realm file registers the gateway as the gateway would have itself registered."""
        assert set(wishes) == {"client"}
        client = self._client()
        attributes = client["attributes"]
        registered = {
            "client_id": client["clientId"],
            "redirect_uris": client["redirectUris"],
            "post_logout_redirect_uris": attributes["post.logout.redirect.uris"].split("##"),
            "backchannel_logout_uri": attributes["backchannel.logout.url"],
        }
        assert registered == wishes["client"]
        return {}

    def set_access_token_lifetime(self, seconds: int) -> None:
        """Let access tokens issued from now on live this long."""
        self.administer("PUT", "", {"accessTokenLifespan": seconds})

    def user(self, username: str) -> dict[str, Any]:
        """Return what Keycloak knows of a user."""
        (user,) = self.administer("GET", f"/users?exact=true&username={username}")
        found: dict[str, Any] = user
        return found

    def end_sessions(self, username: str) -> None:
        """Log a user out everywhere."""
        self.administer("POST", f"/users/{self.user(username)['id']}/logout")

    def end_session(self, sid: str) -> None:
        """End one session of a user."""
        self.administer("DELETE", f"/sessions/{sid}")

    def enable(self, username: str, *, enabled: bool) -> None:
        """Let a user log in, or not any more."""
        self.administer("PUT", f"/users/{self.user(username)['id']}", {"enabled": enabled})

    def allow_grants_without_users(self) -> None:
        """Let the gateway's client have tokens of its own, as an employee, and exchange those of its users."""
        client = self._client()
        client["serviceAccountsEnabled"] = True
        client["attributes"]["standard.token.exchange.enabled"] = "true"
        self.administer("PUT", f"/clients/{client['id']}", client)
        account = self.administer("GET", f"/clients/{client['id']}/service-account-user")
        roles = [self.administer("GET", f"/roles/{name}") for name in ("employee",)]
        self.administer("POST", f"/users/{account['id']}/role-mappings/realm", roles)

    def offer_reports(self) -> None:
        """Add an API `reports` with a client scope `read:reports`, which the gateway's client may ask for."""
        self.administer("POST", "/clients", {"clientId": "reports", "standardFlowEnabled": False})
        mapper = {
            "name": "audience",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-audience-mapper",
            "config": {"included.client.audience": "reports", "access.token.claim": "true"},
        }
        scope = {"name": "read:reports", "protocol": "openid-connect", "protocolMappers": [mapper]}
        self.administer("POST", "/client-scopes", scope)
        (added,) = (each for each in self.administer("GET", "/client-scopes") if each["name"] == scope["name"])
        self.administer("PUT", f"/clients/{self._client()['id']}/optional-client-scopes/{added['id']}")

    def add_client_with_keys(self, client_id: str, public_url: str, jwks: str) -> KeycloakServer:
        """Add a client that is the gateway's but for its place and its `private_key_jwt`; return Keycloak for it."""
        client = {name: value for name, value in self._client().items() if name not in ("id", "secret")}
        attributes = {
            **client["attributes"],
            "post.logout.redirect.uris": f"{public_url}/",
            "backchannel.logout.url": f"{public_url}/bff/backchannel-logout",
            "use.jwks.string": "true",
            "jwks.string": jwks,
            "request.object.required": "request only",
        }
        changes = {
            "clientId": client_id,
            "clientAuthenticatorType": "client-jwt",
            "redirectUris": [f"{public_url}/bff/callback"],
            "attributes": attributes,
        }
        self.administer("POST", "/clients", {**client, **changes})
        return dataclasses.replace(self, client_id=client_id)

    def events(self) -> list[dict[str, Any]]:
        """Return what has happened since the last `clear_events`, oldest first."""
        events: list[dict[str, Any]] = self.administer("GET", "/events?max=1000")
        return sorted(events, key=lambda event: event["time"])

    def kinds(self) -> list[str]:
        """Return the kinds of the events, such as `LOGIN`."""
        return [event["type"] for event in self.events()]

    def clear_events(self) -> None:
        """Count from here."""
        self.administer("DELETE", "/events")

    def administer(self, method: str, path: str, body: object = None) -> Any:
        """Call the realm's administration API; its answer, None if that is empty."""
        with httpx2.Client(trust_env=False, timeout=30.0) as client:
            form = {"grant_type": "password", "client_id": "admin-cli"}
            form |= {"username": ADMINISTRATOR, "password": self.password}
            answer = client.post(f"{self.origin}/realms/master/protocol/openid-connect/token", data=form)
            token = answer.raise_for_status().json()["access_token"]
            url = f"{self.origin}/admin/realms/{REALM}{path}"
            answer = client.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"})
            return answer.raise_for_status().json() if answer.content else None

    def _client(self) -> dict[str, Any]:
        (client,) = self.administer("GET", f"/clients?clientId={self.client_id}")
        found: dict[str, Any] = client
        return found


@contextmanager
def start_keycloak(public_url: str) -> Iterator[KeycloakServer]:
    """Keycloak on a free port, its client registered for a gateway at `public_url`; left out where it cannot run."""
    distribution = installed()
    port = reserve_port()
    origin = f"http://127.0.0.1:{port}"
    issuer = f"{origin}/realms/{REALM}"
    client_secret, password = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="bff-test-keycloak-home-") as directory:
        home = Path(directory) / "keycloak"
        # It writes into its own folder.
        shutil.copytree(distribution, home)
        (home / "data" / "import").mkdir(parents=True)
        shutil.copy(REALM_FILE, home / "data" / "import")
        variables = {
            # What the realm file leaves open.
            "BFF_PUBLIC_URL": public_url,
            "BFF_CLIENT_SECRET": client_secret,
            "KC_BOOTSTRAP_ADMIN_USERNAME": ADMINISTRATOR,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
        }
        ready_path = f"/realms/{REALM}/.well-known/openid-configuration"
        with started(home, port, ready_path, **variables) as child:
            yield KeycloakServer(
                *(issuer, port, child, f"{origin}{ready_path}", CLIENT, client_secret, AUDIENCE),
                origin=origin,
                password=password,
            )
