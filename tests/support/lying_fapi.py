"""A realm of `tests.support.lying_provider` as an authorization server of FAPI 2.0: strict, and bent where asked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey

from bff.oauth.base64url import decode
from tests.support.dpop_verifier import DpopVerifier
from tests.support.leaks import Ledger
from tests.support.lies import Answer, Tokens, json_answer
from tests.support.lying_provider import Asked, Login, Realm
from tests.support.signed_tokens import public_jwk

PROVED = ("/par", "/token")
"""Where a proof is demanded, with the newest nonce."""


class FapiRealm(Realm):
    """Takes nothing but assertions by `client_key` and proofs with the newest nonce; each answer brings another.

    `proved` has path and key of every proof that was verified, in order.
    """

    def __init__(self, issuer: str, ledger: Ledger) -> None:
        super().__init__(issuer, ledger)
        self.client_key = ECKey.generate_key("P-256", parameters={"kid": "client"})
        self.keys = [public_jwk(self.key, kid=self.kid, use="sig", alg="PS256")]
        self.metadata = {
            "pushed_authorization_request_endpoint": f"{issuer}/par",
            "require_pushed_authorization_requests": True,
            "id_token_signing_alg_values_supported": ["RS256", "PS256"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "dpop_signing_alg_values_supported": ["ES256"],
            # Under the profile it must be there whatever is said of it.
            "authorization_response_iss_parameter_supported": False,
        }
        self.proved: list[tuple[str, str]] = []
        self._proofs = DpopVerifier()
        self._assertions: set[str] = set()
        self._nonces = 0

    def answer(self, asked: Asked) -> Answer:
        """Answer a request; one without the newest nonce is told it and nothing else."""
        if asked.path not in PROVED:
            return super().answer(asked)
        expected = None if self._nonces == 0 else f"nonce-{self._nonces}"
        claims = json.loads(decode(asked.headers["dpop"].split(".")[1]))
        given = claims.get("nonce")
        key = self._proofs.verify(
            asked.headers["dpop"], method="POST", url=f"{self.issuer}{asked.path}", now=self.clock(), nonce=given
        )
        self.proved.append((asked.path, key))
        self._nonces += 1
        if given is None or given != expected:
            answer = json_answer(400, error="use_dpop_nonce")
        else:
            answer = super().answer(asked)
        if any(name == "DPoP-Nonce" for name, _ in answer.headers):
            return answer
        return replace(answer, headers=(*answer.headers, ("DPoP-Nonce", f"nonce-{self._nonces}")))

    def _grant(self, login: Login, bent: Tokens, **claims: Any) -> Answer:
        bent = replace(bent, header={"alg": "PS256", **bent.header}, members={"token_type": "DPoP", **bent.members})
        return super()._grant(login, bent, **claims)

    def _check_client(self, asked: Asked) -> None:
        form = asked.parameters()
        assert "client_secret" not in form
        assert "authorization" not in asked.headers
        assertion = form["client_assertion"]
        jws.deserialize_compact(assertion.encode(), self.client_key, algorithms=["ES256"])
        claims = json.loads(decode(assertion.split(".")[1]))
        assert claims["iss"] == claims["sub"] == form["client_id"] == self.client_id
        assert claims["aud"] == self.issuer
        assert claims["jti"] not in self._assertions
        assert claims["iat"] <= self.clock() < claims["exp"] <= claims["iat"] + 300
        self._assertions.add(claims["jti"])
