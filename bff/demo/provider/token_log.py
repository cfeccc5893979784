"""What tests may know about token requests: everything but the tokens."""

import hashlib
import json
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qs

from joserfc.errors import JoseError
from starlette.types import Message, Scope

from bff.demo.provider.state import Provider
from bff.demo.provider.token_claims import ACCESS_TOKEN_TYPE


@dataclass
class TokenRequest:
    """One request to the token endpoint.

    `outcome` is `ok`, an error code, `status N`, `dropped` or `pending`; `presented` and
    `issued_refresh_token` are fingerprints; `sub` and `access_token_id` are of the access token issued.
    `resource` is what was asked for by that name or as `audience`; times are seconds since the epoch.
    """

    number: int
    grant_type: str
    client_authentication: str
    presented: str | None
    arrived_at: float
    outcome: str = "pending"
    sub: str | None = None
    access_token_id: str | None = None
    issued_refresh_token: str | None = None
    resource: str | None = None
    handled_at: float | None = None


class TokenLog:
    """The token requests in order of arrival."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._requests: deque[TokenRequest] = deque(maxlen=20_000)
        self._count = 0

    def arrived(self, scope: Scope, body: bytes) -> TokenRequest:
        """Note a request before anything is done with it."""
        form = {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}
        self._count += 1
        secret = form.get("refresh_token") or form.get("code")
        request = TokenRequest(
            number=self._count,
            grant_type=form.get("grant_type", ""),
            client_authentication=_client_authentication(scope, form),
            presented=fingerprint(secret) if secret else None,
            arrived_at=self._provider.clock(),
            resource=form.get("resource") or form.get("audience"),
        )
        self._requests.append(request)
        return request

    def handled(self, request: TokenRequest, messages: list[Message]) -> None:
        """Note what the endpoint decided, whether or not the client gets to know it."""
        body = b"".join(message.get("body", b"") for message in messages)
        try:
            answer: dict[str, Any] = json.loads(body)
        except ValueError:
            answer = {}
        request.handled_at = self._provider.clock()
        request.outcome = str(answer.get("error", "ok" if "access_token" in answer else "no answer"))
        if "refresh_token" in answer:
            request.issued_refresh_token = fingerprint(answer["refresh_token"])
        if "access_token" in answer:
            claims = self._claims(answer["access_token"])
            request.sub = claims.get("sub")
            request.access_token_id = claims.get("jti")

    def clear(self) -> None:
        """Forget all requests and events."""
        self._requests.clear()
        self._provider.events.clear()

    def report(self) -> dict[str, Any]:
        """Requests, events, and how many there were of each kind."""
        events = list(self._provider.events)
        kinds = Counter(event["event"] for event in events)
        refreshes = [request for request in self._requests if request.grant_type == "refresh_token"]
        return {
            "token_requests": [asdict(request) for request in self._requests],
            "events": events,
            "counts": {
                "token_requests": len(self._requests),
                "code_exchanges": sum(item.grant_type == "authorization_code" for item in self._requests),
                "refreshes": len(refreshes),
                "refreshes_ok": sum(request.outcome == "ok" for request in refreshes),
                "refresh_token_reuse": kinds["refresh_token_reuse"],
                "code_reuse": kinds["code_reuse"],
                "revocations": kinds["revocation"],
                "backchannel_logouts": kinds["backchannel_logout"],
            },
        }

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            return self._provider.keys.verify(token, token_type=ACCESS_TOKEN_TYPE)
        except (JoseError, ValueError):
            return {}


def fingerprint(secret: str) -> str:
    """Enough of a hash to tell secrets apart."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def _client_authentication(scope: Scope, form: dict[str, str]) -> str:
    if any(name == b"authorization" for name, _ in scope["headers"]):
        return "client_secret_basic"
    if "client_assertion" in form:
        return "private_key_jwt"
    return "client_secret_post" if "client_secret" in form else "none"
