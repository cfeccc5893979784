"""A realm that asks of its client what FAPI 2.0 does, and an API of its own that takes bound tokens alone.

It checks as the certification suite does: the client's proof of itself, proofs of possession and their nonces, pushed
and signed requests, certificates at the aliases for mutual TLS.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from tests.support.dpop_verifier import DpopVerifier, claims_of
from tests.support.key_sets import set_with_decoys
from tests.support.leaks import Ledger
from tests.support.lies import Answer, Draft, Tokens, applied, json_answer
from tests.support.lying_provider import Realm
from tests.support.realm_log import Asked, Login
from tests.support.signed_tokens import public_jwk, rsa_key

ALIASES = "/mtls"
ACCOUNTS = "/accounts"
DAY = 86_400
DECOY = 52
_ENDPOINTS = {
    "token_endpoint": "/token",
    "pushed_authorization_request_endpoint": "/par",
    "revocation_endpoint": "/revoke",
}


@dataclass(frozen=True)
class FapiClient:
    """How the client is registered: its public keys, its certificate as DER, and which of the two do what.

    With `is_signed` requests are signed objects, and authorization responses are signed as well.
    """

    jwks: dict[str, Any]
    certificate: bytes | None = None
    has_key: bool = True
    is_bound_to_key: bool = True
    is_signed: bool = False

    @property
    def uses_certificate(self) -> bool:
        """Whether it speaks mutual TLS."""
        return not (self.has_key and self.is_bound_to_key)


class FapiRealm(Realm):
    """An authorization server with one client, and a resource server at `ACCOUNTS`.

    With `demands_nonces` each proof needs a nonce of its own, which the refusal of the proof before it has brought;
    `challenges` counts those refusals by endpoint, `proved` has path and key of every proof that was verified, in
    order. `challenge_scheme` is how the API spells the scheme in a refusal.
    """

    algorithm = "PS256"

    def __init__(self, issuer: str, ledger: Ledger, client: FapiClient) -> None:
        super().__init__(issuer, ledger)
        self.client = client
        self.token_type = "DPoP" if client.is_bound_to_key else "Bearer"
        self.demands_nonces = True
        self.challenge_scheme = "DPoP"
        self.challenges: Counter[str] = Counter()
        self.proved: list[tuple[str, str]] = []
        self.metadata = _metadata(issuer, client)
        decoy = public_jwk(rsa_key(DECOY), kid=self.kid, use="sig", alg="RS256")
        self.keys = [decoy, *set_with_decoys(self)]
        self._verifier = DpopVerifier()
        self._assertions: set[str] = set()
        self._nonces: dict[str, str] = {}
        self._pushed_by: dict[str, str] = {}
        self._bound_to: dict[str, str] = {}
        self._own_tokens: set[str] = set()
        self._binding = ""

    def answer(self, asked: Asked) -> Answer:
        """Answer a request; one at an alias has the client's certificate."""
        has_alias = asked.path.startswith(ALIASES)
        if has_alias or (self.client.uses_certificate and asked.path in _ENDPOINTS.values()):
            assert has_alias, "not at the alias"
            assert asked.certificate == self.client.certificate, "not the client's certificate"
        return super().answer(replace(asked, path=asked.path.removeprefix(ALIASES)))

    def _handlers(self) -> dict[str, Callable[[Asked], Answer]]:
        return {**super()._handlers(), ACCOUNTS: self._accounts}

    def _push(self, asked: Asked) -> Answer:
        refusal = self._bind(asked)
        if refusal is not None:
            return refusal
        assert "request_uri" not in asked.parameters()
        answer = super()._push(asked)
        if answer.status == 201:
            reference = json.loads(answer.body)["request_uri"]
            self._pushed[reference] = self._requested(self._pushed[reference])
            self._pushed_by[self._pushed[reference]["state"]] = self._binding
        return answer

    def _requested(self, form: dict[str, str]) -> dict[str, str]:
        """The parameters of the authorization request, out of the signed object if it has to be one."""
        if not self.client.is_signed:
            return form
        assert form.keys() <= {"client_id", "request", "client_assertion", "client_assertion_type"}
        header, claims = self._signed_by_client(form["request"])
        assert header["typ"] == "oauth-authz-req+jwt"
        assert (claims["iss"], claims["aud"]) == (self.client_id, self.issuer)
        assert claims["nbf"] <= self.clock() + 1 < claims["exp"] <= claims["nbf"] + 3600
        return {name: str(value) for name, value in claims.items() if name not in ("iss", "aud", "iat", "nbf", "exp")}

    def _authorize(self, asked: Asked) -> Answer:
        assert asked.parameters().keys() == {"client_id", "request_uri"}, "more in the browser than a reference"
        return super()._authorize(asked)

    def _respond(self, login: Login, response: dict[str, Any]) -> Answer:
        if not self.client.is_signed:
            return super()._respond(login, response)
        assert login.parameters["response_mode"] == "jwt"
        now, bent = self.clock(), login.bend.signed_response
        claims = {"iss": self.issuer, "aud": self.client_id, "exp": int(now) + 300, **response}
        header = applied({"alg": self.algorithm, "kid": self.kid}, bent.header, now)
        draft = Draft(header, applied(claims, bent.claims, now), self.key, self.client_secret)
        return super()._respond(login, {"response": bent.forge(draft)})

    def _token(self, asked: Asked) -> Answer:
        refusal = self._bind(asked)
        if refusal is not None:
            return refusal
        return super()._token(asked)

    def _target_token(self, form: dict[str, str], bent: Tokens) -> Answer:
        answer = super()._target_token(form, bent)
        token = json.loads(answer.body)["access_token"]
        self._own_tokens.add(token)
        self._bound_to[token] = self._binding
        return answer

    def _grant(self, login: Login, bent: Tokens, **claims: Any) -> Answer:
        assert self._pushed_by[login.parameters["state"]] == self._binding, "a key that is not the login's"
        answer = super()._grant(login, bent, **claims)
        self._bound_to.update(dict.fromkeys(login.access_tokens[-1:], self._binding))
        return answer

    def _accounts(self, asked: Asked) -> Answer:
        scheme, _, token = asked.headers["authorization"].partition(" ")
        assert scheme == self.token_type
        refusal = self._bind(asked, access_token=token)
        if refusal is not None:
            return refusal
        assert self._bound_to[token] == self._binding, "somebody else's token"
        if token not in self._own_tokens:
            (login,) = [x for logins in self._logins.values() for x in logins if token in x.access_tokens]
            login.calls.append("accounts")
        return json_answer(accounts=["DE1", "DE2"])

    def _bind(self, asked: Asked, *, access_token: str | None = None) -> Answer | None:
        """Note what binds the token of this request; the refusal if its proof lacks the nonce."""
        if not self.client.is_bound_to_key:
            assert asked.certificate is not None
            self._binding = hashlib.sha256(asked.certificate).hexdigest()
            return None
        proof, demanded = asked.headers["dpop"], self._nonces.pop(asked.path, None)
        nonce = claims_of(proof).get("nonce")
        alias = ALIASES if self.client.uses_certificate and access_token is None else ""
        self._binding = self._verifier.verify(
            proof,
            method=asked.method,
            url=f"{self.issuer}{alias}{asked.path}",
            now=self.clock(),
            nonce=nonce,
            access_token=access_token,
        )
        self.proved.append((asked.path, self._binding))
        if self.demands_nonces and (nonce is None or nonce != demanded):
            return self._challenge(asked.path, is_resource=access_token is not None)
        return None

    def _challenge(self, path: str, *, is_resource: bool) -> Answer:
        self.challenges[path] += 1
        self._nonces[path] = secrets.token_urlsafe(12)
        nonce = ("DPoP-Nonce", self._nonces[path])
        if not is_resource:
            return replace(json_answer(400, error="use_dpop_nonce"), headers=(nonce,))
        challenge = ("WWW-Authenticate", f'{self.challenge_scheme} error="use_dpop_nonce"')
        return replace(json_answer(401), headers=(nonce, challenge))

    def _check_client(self, asked: Asked) -> None:
        form = asked.parameters()
        assert "authorization" not in asked.headers
        assert "client_secret" not in form
        assert form.get("client_id", self.client_id) == self.client_id
        if not self.client.has_key:
            assert asked.certificate == self.client.certificate
            self.authentications["certificate"] += 1
            return
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        _, claims = self._signed_by_client(self.ledger.secret("client assertion", form["client_assertion"]))
        assert claims["iss"] == claims["sub"] == self.client_id
        assert claims["aud"] == self.issuer
        assert claims["iat"] <= self.clock() + 1
        assert self.clock() < claims["exp"] <= self.clock() + DAY
        assert claims["jti"] not in self._assertions
        self._assertions.add(claims["jti"])
        self.authentications["assertion"] += 1

    def _signed_by_client(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        keys = KeySet.import_key_set(self.client.jwks)  # type: ignore[arg-type]
        registry = JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        decoded = jwt.decode(token, keys, registry=registry)
        return decoded.header, decoded.claims


def _metadata(issuer: str, client: FapiClient) -> dict[str, Any]:
    alias = ALIASES if client.uses_certificate else ""
    aliases = {name: f"{issuer}{ALIASES}{path}" for name, path in _ENDPOINTS.items()}
    return {
        "userinfo_endpoint": ...,
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "require_pushed_authorization_requests": True,
        "token_endpoint_auth_methods_supported": ["private_key_jwt" if client.has_key else "tls_client_auth"],
        "token_endpoint_auth_signing_alg_values_supported": ["PS256", "ES256"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "response_modes_supported": ["query", "jwt"],
        "request_object_signing_alg_values_supported": ["PS256", "ES256"],
        "authorization_signing_alg_values_supported": ["PS256"],
        "dpop_signing_alg_values_supported": ["ES256"] if client.is_bound_to_key else ...,
        "tls_client_certificate_bound_access_tokens": not client.is_bound_to_key,
        "authorization_response_iss_parameter_supported": not client.is_signed,
        "mtls_endpoint_aliases": aliases if alias else ...,
    }
