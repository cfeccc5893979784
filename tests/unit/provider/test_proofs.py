"""Nonces of the provider's servers (RFC 9449 sections 8 and 9)."""

from __future__ import annotations

import json
import secrets

from bff.oauth.base64url import decode
from bff.oauth.dpop import new_dpop_key
from bff.provider.proofs import Proofs

KEY = new_dpop_key(secrets.token_bytes)
TOKEN = "https://idp.example/token"
USERINFO = "https://idp.example/userinfo"


def proofs() -> Proofs:
    return Proofs("require", clock=lambda: 1.0, random_bytes=secrets.token_bytes)


def nonce_in(proof: str) -> str | None:
    claims: dict[str, str] = json.loads(decode(proof.split(".")[1]))
    return claims.get("nonce")


def test_nonces_of_different_servers_are_kept_apart() -> None:
    known = proofs()
    known.learn(TOKEN, "one")
    known.learn("https://mtls.idp.example/token", "two")
    known.learn(USERINFO, "three", access_token="t")
    assert nonce_in(known.proof(KEY, "POST", TOKEN)) == "one"
    assert nonce_in(known.proof(KEY, "POST", "https://idp.example/par")) == "one"
    assert nonce_in(known.proof(KEY, "POST", "https://mtls.idp.example/token")) == "two"
    assert nonce_in(known.proof(KEY, "GET", USERINFO, access_token="t")) == "three"
    assert nonce_in(known.proof(KEY, "POST", "https://other.example/token")) is None


def test_the_newest_replaces_the_one_before_and_what_is_no_nonce_replaces_nothing() -> None:
    known = proofs()
    known.learn(TOKEN, "one")
    known.learn(TOKEN, "two")
    known.learn(TOKEN, None)
    known.learn(TOKEN, 'not"one')
    assert nonce_in(known.proof(KEY, "POST", TOKEN)) == "two"


def test_a_provider_that_moves_from_host_to_host_fills_no_memory() -> None:
    known = proofs()
    for number in range(500):
        known.learn(f"https://{number}.example/token", "nonce")
    assert nonce_in(known.proof(KEY, "POST", "https://499.example/token")) == "nonce"
    assert len(known._nonces) < 100
