"""A provider that demands nonces in proofs (RFC 9449 sections 8 and 9)."""

from __future__ import annotations

import httpx2

from tests.support.dpop_verifier import DpopVerifier
from tests.support.provider_double import Handler, ProviderDouble, answer
from tests.support.signed_tokens import ISSUER
from tests.support.virtual_time import clock


def demand_nonces(provider: ProviderDouble, *paths: str) -> list[str]:
    """Have each path refuse the first request and take the second with the nonce; return the proofs as they come."""
    proofs: list[str] = []
    for path in paths:
        provider.overrides[path] = _demanding(path, provider.overrides.get(path) or provider._handlers()[path], proofs)
    return proofs


def _demanding(path: str, honest: Handler, proofs: list[str]) -> Handler:
    server, nonce = DpopVerifier(), f"nonce-of-{path}"
    is_given: list[bool] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        proofs.append(request.headers["dpop"])
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not is_given:
            is_given.append(True)
            refusal = answer(401 if token else 400, error="use_dpop_nonce")
            refusal.headers["dpop-nonce"] = nonce
            refusal.headers["www-authenticate"] = 'DPoP error="use_dpop_nonce"'
            return refusal
        access_token = token if scheme == "DPoP" else None
        server.verify(
            proofs[-1],
            method=request.method,
            url=f"{ISSUER}{path}",
            now=clock(),
            nonce=nonce,
            access_token=access_token,
        )
        return honest(request)

    return handle
