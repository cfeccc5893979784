"""The token endpoint (RFC 6749, section 3.2) and the revocation endpoint (RFC 7009)."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any

from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bff.demo.provider.clients import Client
from bff.demo.provider.errors import OAuthError
from bff.demo.provider.forms import form_parameters
from bff.demo.provider.grants import Grant
from bff.demo.provider.state import Provider
from bff.demo.provider.token_claims import ACCESS_TOKEN_TYPE, access_token, client_access_token, id_token
from bff.demo.users import IDENTITY_SCOPES, SUPPORTED_SCOPES

CODE_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
NO_STORE = {"Cache-Control": "no-store"}


class TokenEndpoint:
    """Redeems codes and refresh tokens for authenticated clients."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._grant_types = {
            "authorization_code": self._redeem_code,
            "refresh_token": self._refresh,
            "client_credentials": self._client_credentials,
            TOKEN_EXCHANGE: self._exchange,
        }

    async def token(self, request: Request) -> Response:
        """POST /token."""
        try:
            form = await form_parameters(request)
            client = self._authenticate(request, form)
            redeem = self._grant_types.get(form.get("grant_type", ""))
            if redeem is None:
                raise OAuthError("unsupported_grant_type", "The grant type is not supported.")
            return JSONResponse(redeem(client, form), headers=NO_STORE)
        except OAuthError as fault:
            return error_response(fault)

    async def revoke(self, request: Request) -> Response:
        """POST /revoke: 200 even for a token that is unknown (RFC 7009, section 2.2)."""
        try:
            form = await form_parameters(request)
            client = self._authenticate(request, form)
            token = form.get("token")
            if token is None:
                raise OAuthError("invalid_request", "token is missing.")
            if not self._provider.grants.revoke_refresh_token(token, client.client_id):
                self._revoke_access_token(token, client.client_id)
        except OAuthError as fault:
            return error_response(fault)
        return Response(headers=NO_STORE)

    def _authenticate(self, request: Request, form: Mapping[str, str]) -> Client:
        authorization = request.headers.get("authorization")
        return self._provider.authentication.authenticate(authorization, form, self._provider.clock())

    def _revoke_access_token(self, token: str, client_id: str) -> None:
        try:
            claims = self._provider.keys.verify(token, token_type=ACCESS_TOKEN_TYPE)
        except (JoseError, ValueError):
            return
        self._provider.grants.revoke_access_token(str(claims.get("jti")), client_id)

    def _redeem_code(self, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
        """RFC 6749 section 4.1.3 with RFC 7636 section 4.6."""
        grants = self._provider.grants
        code = grants.code(_required(form, "code"), client.client_id, self._provider.clock())
        if form.get("redirect_uri") != code.redirect_uri:
            raise OAuthError("invalid_grant", "redirect_uri is not the one of the authorization request.")
        if not _verifier_matches(_required(form, "code_verifier"), code.code_challenge):
            raise OAuthError("invalid_grant", "code_verifier does not match.")
        audience = self._audience(form, code.grant)
        code.redeemed = True
        answer = self._answer(code.grant, code.grant.scope, audience, nonce=code.grant.nonce)
        if self._provider.policy.refresh_mode != "none" and "offline_access" in code.grant.scope:
            answer["refresh_token"] = grants.issue_refresh_token(code.grant)
        return self._issue(answer)

    def _refresh(self, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
        """RFC 6749, section 6; the presented token is spent."""
        found = self._provider.grants.refresh_token(_required(form, "refresh_token"), client.client_id)
        scope = tuple(form["scope"].split()) if "scope" in form else found.grant.scope
        if not set(scope) <= set(found.grant.scope):
            raise OAuthError("invalid_scope", "The scope exceeds what was granted.")
        answer = self._answer(found.grant, scope, self._audience(form, found.grant), nonce=None)
        if self._provider.policy.refresh_mode == "rotate":
            found.rotated = True
            answer["refresh_token"] = self._provider.grants.issue_refresh_token(found.grant)
        return self._issue(answer)

    def _client_credentials(self, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
        """RFC 6749, section 4.4."""
        permissions = tuple(name for name in SUPPORTED_SCOPES if name not in IDENTITY_SCOPES)
        scope = tuple(form["scope"].split()) if "scope" in form else permissions
        if not set(scope) <= set(permissions):
            raise OAuthError("invalid_scope", "The scope is not for clients.")
        audience = self._audience(form, None)
        bearer = client_access_token(self._provider, client.client_id, scope, audience)
        return self._issue(self._bearer_answer(bearer, scope))

    def _exchange(self, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
        """RFC 8693, section 2: an access token of this client's user for one of another API."""
        if form.get("subject_token_type") != ACCESS_TOKEN or form.get("requested_token_type", "") not in (
            "",
            ACCESS_TOKEN,
        ):
            raise OAuthError("invalid_request", "Only access tokens are exchanged, for access tokens.")
        try:
            claims = self._provider.keys.verify(_required(form, "subject_token"), token_type=ACCESS_TOKEN_TYPE)
        except (JoseError, ValueError):
            claims = {}
        grant = self._provider.grants.grant_of_access_token(str(claims.get("jti")))
        if grant is None or grant.client_id != client.client_id or claims["exp"] <= self._provider.clock():
            raise OAuthError("invalid_request", "The subject token is not valid.")
        scope = tuple(form["scope"].split()) if "scope" in form else tuple(claims["scope"].split())
        if not set(scope) <= set(grant.scope):
            raise OAuthError("invalid_scope", "The scope exceeds what was granted.")
        bearer = access_token(self._provider, grant, scope, self._audience(form, None))
        return self._issue(self._bearer_answer(bearer, scope) | {"issued_token_type": ACCESS_TOKEN})

    def _answer(self, grant: Grant, scope: tuple[str, ...], audience: str, *, nonce: str | None) -> dict[str, Any]:
        bearer = access_token(self._provider, grant, scope, audience)
        answer = self._bearer_answer(bearer, scope)
        if "openid" in grant.scope:
            answer["id_token"] = id_token(self._provider, grant, bearer, nonce=nonce)
        return answer

    def _bearer_answer(self, bearer: str, scope: tuple[str, ...]) -> dict[str, Any]:
        lifetime = self._provider.policy.access_token_lifetime
        return {
            "access_token": bearer,
            "token_type": "Bearer",
            "expires_in": lifetime,
            "scope": " ".join(scope),
        }

    def _issue(self, answer: dict[str, Any]) -> dict[str, Any]:
        tokens = ("access_token", "id_token", "refresh_token")
        self._provider.issued.extend(answer[name] for name in tokens if name in answer)
        return answer

    def _audience(self, form: Mapping[str, str], grant: Grant | None) -> str:
        """RFC 8707, section 2.2; `audience` is the older spelling some providers have."""
        default = grant.audience if grant else self._provider.audiences[0]
        resource = form.get("resource")
        asked = resource or form.get("audience") or default
        if asked not in self._provider.audiences:
            raise OAuthError("invalid_target", "The resource is unknown, or more than one.")
        if grant is not None and grant.resources and resource and resource not in grant.resources:
            raise OAuthError("invalid_target", "The authorization request did not name this resource.")
        return asked


def error_response(fault: OAuthError) -> Response:
    """The JSON error answer (RFC 6749, section 5.2)."""
    headers = dict(NO_STORE)
    if fault.error == "invalid_client":
        headers["WWW-Authenticate"] = 'Basic realm="token"'
    body = {"error": fault.error, "error_description": fault.description}
    return JSONResponse(body, fault.status, headers)


def _required(form: Mapping[str, str], name: str) -> str:
    if name not in form:
        raise OAuthError("invalid_request", f"{name} is missing.")
    return form[name]


def _verifier_matches(verifier: str, challenge: str) -> bool:
    """RFC 7636, sections 4.1 and 4.6, with S256."""
    if not CODE_VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return secrets.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), challenge)
