"""A FAPI 2.0 authorization server and a resource server that takes bound tokens alone, both on Node.js."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, OKPKey, RSAKey

from bff.demo.child import clean_environment
from tests.support.certificates import authority_certificate, client_certificate, server_certificate
from tests.support.oidc_provider import PACKAGE, Client, OidcProviderServer, installed, start_oidc_provider
from tests.support.processes import AUDIENCE, Server, reserve_port, running

_BOUND_TO_KEY = {"dpop_bound_access_tokens": True}
_BOUND_TO_CERTIFICATE = {"tls_client_certificate_bound_access_tokens": True}
_NO_SECRET: dict[str, str | None] = {"BFF_CLIENT_SECRET": None, "BFF_PROFILE": "fapi2"}


def fapi_clients() -> dict[str, Client]:
    """Return one client for each combination of client authentication and binding, with fresh keys."""
    grants = {"grant_types": ["authorization_code", "refresh_token", "client_credentials"]}
    known = {
        "key-dpop": _joined(_by_key(), _BOUND_TO_KEY),
        "key-mtls": _joined(_by_key("PS256"), _BOUND_TO_CERTIFICATE, _certificate()[1]),
        "mtls-mtls": _joined(_by_certificate(), _BOUND_TO_CERTIFICATE),
        "mtls-dpop": _joined(_by_own_certificate(), _BOUND_TO_KEY, {"BFF_DPOP": "require"}),
        "signing": _joined(
            _by_key("EdDSA"),
            {
                **_BOUND_TO_KEY,
                "require_signed_request_object": True,
                "request_object_signing_alg": "EdDSA",
            },
            {"BFF_PROFILE": "fapi2-message-signing"},
        ),
    }
    signed = {"id_token_signed_response_alg": "PS256", "authorization_signed_response_alg": "PS256"}
    return {name: _joined(client, {**grants, **signed}) for name, client in known.items()}


def _joined(client: Client, metadata: Mapping[str, Any], settings: Mapping[str, str | None] | None = None) -> Client:
    return Client({**client.metadata, **metadata}, {**client.settings, **(settings or {})})


def _by_key(algorithm: str = "ES256") -> Client:
    key: ECKey | OKPKey | RSAKey
    members: Any = {"kid": "gateway-1", "alg": algorithm, "use": "sig"}
    match algorithm:
        case "PS256":
            key = RSAKey.generate_key(2048, parameters=members)
        case "EdDSA":
            key = OKPKey.generate_key("Ed25519", parameters=members)
        case _:
            key = ECKey.generate_key("P-256", parameters=members)
    return Client(
        {
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": algorithm,
            "jwks": {"keys": [key.as_dict(private=False)]},
        },
        {**_NO_SECRET, "BFF_CLIENT_KEY": json.dumps(key.as_dict(private=True))},
    )


def _certificate(*, is_self_signed: bool = False) -> tuple[x509.Certificate, dict[str, str | None]]:
    certificate, key = client_certificate(is_self_signed=is_self_signed)
    parsed = x509.load_pem_x509_certificate(certificate.encode())
    return parsed, {"BFF_CLIENT_CERT": certificate, "BFF_CLIENT_CERT_KEY": key}


def _by_certificate() -> Client:
    _, settings = _certificate()
    return Client(
        {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=gateway"},
        {**_NO_SECRET, **settings},
    )


def _by_own_certificate() -> Client:
    certificate, settings = _certificate(is_self_signed=True)
    public = ECKey.import_key(
        certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    ).as_dict(private=False)
    chain = [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()]
    return Client(
        {
            "token_endpoint_auth_method": "self_signed_tls_client_auth",
            "jwks": {"keys": [{**public, "use": "sig", "x5c": chain}]},
        },
        {**_NO_SECRET, **settings, "BFF_CLIENT_AUTH": "self_signed_tls_client_auth"},
    )


@contextmanager
def start_fapi_provider(directory: Path, *, nonces: bool = True) -> Iterator[OidcProviderServer]:
    """The provider as an authorization server of FAPI 2.0, which demands nonces of proofs if `nonces`.

    Writes the authority of its certificate to `directory`/authority.pem.
    """
    authority = authority_certificate().decode()
    (directory / "authority.pem").write_text(authority)
    certificate, key = server_certificate()
    security = {
        "mtls_port": reserve_port(),
        "nonces": nonces,
        "certificate": certificate,
        "key": key,
        "authority": authority,
    }
    with start_oidc_provider(known=fapi_clients(), security=security) as provider:
        yield provider


@dataclasses.dataclass
class ResourceServer(Server):
    """The resource server; `url` is what proofs must name."""

    def log(self) -> list[dict[str, Any]]:
        """Return what it was asked and what it has answered; oldest first."""
        with httpx2.Client(trust_env=False) as client:
            answered: list[dict[str, Any]] = client.get(self.ready_url).json()
            return answered


@contextmanager
def start_resource_server(
    provider: OidcProviderServer, *, is_secure: bool = False, rotate_after: int = 3
) -> Iterator[ResourceServer]:
    """The resource server for the provider's tokens; with TLS, if `is_secure`, it asks for certificates.

    Its nonce changes after every `rotate_after` answers.
    """
    node, modules = installed()
    port, control_port = reserve_port(), reserve_port()
    url = f"{'https' if is_secure else 'http'}://127.0.0.1:{port}"
    certificate, key = server_certificate()
    tls = {"certificate": certificate, "key": key, "authority": authority_certificate().decode()}
    configuration = {
        "url": url,
        "port": port,
        "control_port": control_port,
        "issuer": provider.issuer,
        "jwks_uri": f"{provider.issuer}/jwks",
        "audience": AUDIENCE,
        "tls": tls if is_secure else None,
        "rotate_after": rotate_after,
    }
    command = [node, str(PACKAGE / "resource.mjs"), str(modules)]
    environment = clean_environment(RESOURCE_CONFIGURATION=json.dumps(configuration))
    with running("resource-server", command, environment) as child:
        ready_url = f"http://127.0.0.1:{control_port}/"
        child.wait_until_ready(ready_url)
        yield ResourceServer(url, port, child, ready_url)
