"""An OpenID provider on a real socket: honest and strict by itself, bent where a test asks for it.

One server holds several realms, each an issuer of its own with its own metadata, keys and client. What is bent is
bound to a login by its `login_hint`, so that many logins, each with a lie of its own, can go on at the same time.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

from bff.oauth.token_response import ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE
from tests.support.leaks import Ledger
from tests.support.lies import HONEST, TRUE_TOKENS, Answer, Bend, Changes, Draft, Tokens, applied, at_hash, json_answer
from tests.support.realm_log import Asked, Login
from tests.support.signed_tokens import PrivateKey, public_jwk, rsa_key

CLIENT_CREDENTIALS = "client_credentials"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Realm:
    """One issuer; `client_id` and `client_secret` are its only client's."""

    algorithm = "RS256"
    token_type = "Bearer"

    def __init__(self, issuer: str, ledger: Ledger, *, clock: Callable[[], float] = time.time) -> None:
        self.issuer = issuer
        self.ledger = ledger
        self.clock = clock
        self.client_id = "timesheets"
        self.client_secret = ledger.secret("client secret", secrets.token_urlsafe(24))
        self.key: PrivateKey = rsa_key()
        self.kid = "signing"
        self.metadata: dict[str, Any] = {}
        self.metadata_answer: Answer | None = None
        self.keys: list[dict[str, Any]] | None = None
        self.keys_answer: Answer | None = None
        self.elsewhere: dict[str, str] = {}
        self.bends: dict[str, Bend] = {}
        self.targets: dict[str, Tokens] = {}
        self.asked_for: list[tuple[str, str]] = []
        self.calls: Counter[str] = Counter()
        self.authentications: Counter[str] = Counter()
        self.faults: list[str] = []
        self._logins: dict[str, list[Login]] = {}
        self._codes: dict[str, Login] = {}
        self._pushed: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    # --- what tests ask for ---

    @property
    def revokes(self) -> bool:
        """Whether tokens can be given back."""
        return self.metadata.get("revocation_endpoint") is not ...

    def login(self, name: str) -> Login:
        """The one login with this `login_hint`."""
        (login,) = self._logins[name]
        return login

    def logins(self, name: str) -> list[Login]:
        """Every login with this `login_hint`."""
        return self._logins.get(name, [])

    def logout_token(self, name: str, bent: Tokens = TRUE_TOKENS) -> str:
        """A logout token for the user and the provider's session of this login."""
        now = self.clock()
        claims = {
            "iss": self.issuer,
            "sub": _subject(name),
            "sid": _sid(name),
            "aud": self.client_id,
            "iat": int(now),
            "exp": int(now) + 120,
            "jti": secrets.token_urlsafe(12),
            "events": {LOGOUT_EVENT: {}},
        }
        header = {"alg": "RS256", "kid": self.kid, "typ": "logout+jwt"}
        return self.ledger.secret("logout token", self._forged(header, claims, bent))

    # --- what the gateway and the browser ask for ---

    def answer(self, asked: Asked) -> Answer:
        """Answer a request."""
        handler = self._handlers().get(self.elsewhere.get(asked.path, asked.path))
        if "cookie" in asked.headers and asked.path not in ("/authorize", "/logout"):
            self.faults.append(f"a cookie at {asked.path}")
        if handler is None:
            self.faults.append(asked.path)
            return Answer(404)
        with self._lock:
            self.calls[asked.path] += 1
            return handler(asked)

    def _handlers(self) -> dict[str, Callable[[Asked], Answer]]:
        return {
            "/.well-known/openid-configuration": self._metadata,
            "/jwks": self._jwks,
            "/authorize": self._authorize,
            "/par": self._push,
            "/token": self._token,
            "/userinfo": self._userinfo,
            "/revoke": self._revoke,
            "/logout": self._end_session,
        }

    def _metadata(self, asked: Asked) -> Answer:
        base = self.issuer.removesuffix("/")
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/jwks",
            "userinfo_endpoint": f"{base}/userinfo",
            "revocation_endpoint": f"{base}/revoke",
            "end_session_endpoint": f"{base}/logout",
            "authorization_response_iss_parameter_supported": True,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "code_challenge_methods_supported": ["S256"],
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
        }
        return self.metadata_answer or json_answer(**applied(document, self.metadata, self.clock()))

    def _jwks(self, asked: Asked) -> Answer:
        keys = [public_jwk(self.key, kid=self.kid, use="sig", alg=self.algorithm)] if self.keys is None else self.keys
        return self.keys_answer or json_answer(keys=keys)

    def _push(self, asked: Asked) -> Answer:
        self._check_client(asked)
        parameters = asked.parameters()
        reference = self.ledger.secret("request_uri", f"urn:ietf:params:oauth:request_uri:{secrets.token_urlsafe(18)}")
        self._pushed[reference] = parameters
        bend = self.bends.get(parameters.get("login_hint", ""), HONEST)
        return bend.pushed or json_answer(201, request_uri=reference, expires_in=60)

    def _authorize(self, asked: Asked) -> Answer:
        parameters = asked.parameters()
        if "request_uri" in parameters:
            assert parameters.keys() - {"tenant"} == {"client_id", "request_uri"}
            parameters = self._pushed.pop(parameters["request_uri"])
        assert parameters["response_type"] == "code"
        assert parameters["client_id"] == self.client_id
        assert parameters["code_challenge_method"] == "S256"
        for name in ("state", "code_challenge", *(["nonce"] if _is_openid(parameters) else [])):
            self.ledger.secret(name, parameters[name])
        name = parameters["login_hint"]
        login = Login(name, self.bends.get(name, HONEST), parameters, int(self.clock()))
        self._logins.setdefault(name, []).append(login)
        code = self.ledger.secret("code", secrets.token_urlsafe(24))
        self._codes[code] = login
        response = {"code": code, "state": parameters["state"], "iss": self.issuer}
        return self._respond(login, applied(response, login.bend.response, self.clock()))

    def _respond(self, login: Login, response: dict[str, Any]) -> Answer:
        query = login.bend.query(urlencode(response))
        redirect_uri = login.parameters["redirect_uri"]
        if login.parameters.get("response_mode") != "form_post":
            return Answer(303, b"", None, (("Location", f"{redirect_uri}?{query}"),))
        fields = [f'<input name="{escape(name)}" value="{escape(value)}">' for name, value in parse_qsl(query)]
        form = f'<form method="post" action="{escape(redirect_uri)}">{"".join(fields)}</form>'
        page = f"<!doctype html>{form}<script>document.forms[0].submit()</script>"
        return Answer(200, page.encode(), "text/html; charset=utf-8")

    def _token(self, asked: Asked) -> Answer:
        self._check_client(asked)
        form = asked.parameters()
        target = form.get("resource") or form.get("audience") or form.get("scope") or ""
        self.asked_for.append((form["grant_type"], target))
        if form["grant_type"] == "refresh_token":
            return self._refresh(form["refresh_token"], self.targets.get(target))
        if form["grant_type"] in (CLIENT_CREDENTIALS, TOKEN_EXCHANGE):
            return self._target_token(form, self.targets.get(target, TRUE_TOKENS))
        assert form["grant_type"] == "authorization_code"
        verifier = self.ledger.secret("code verifier", form["code_verifier"])
        login = self._codes.pop(form["code"], None)
        if login is None:
            return json_answer(400, error="invalid_grant")
        login.calls.append("token")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        if challenge != login.parameters["code_challenge"] or form["redirect_uri"] != login.parameters["redirect_uri"]:
            return json_answer(400, error="invalid_grant")
        return self._grant(login, login.bend.tokens, nonce=login.parameters.get("nonce", ...))

    def _target_token(self, form: dict[str, str], bent: Tokens) -> Answer:
        if bent.answer is not None:
            return bent.answer
        access_token = self.ledger.secret("access token", f"{form['grant_type'][-5:]}-{secrets.token_urlsafe(24)}")
        members: dict[str, Any] = {"access_token": access_token, "token_type": self.token_type, "expires_in": 300}
        if form["grant_type"] == TOKEN_EXCHANGE:
            members["issued_token_type"] = ACCESS_TOKEN_TYPE
        return json_answer(**applied(members, bent.members, self.clock()))

    def _refresh(self, refresh_token: str, bent_target: Tokens | None = None) -> Answer:
        (login,) = [x for logins in self._logins.values() for x in logins if refresh_token in x.refresh_tokens]
        login.calls.append("refresh")
        login.refresh_requests.append(refresh_token)
        if refresh_token != login.refresh_tokens[-1] or refresh_token in login.revoked:
            return json_answer(400, error="invalid_grant")
        if bent_target is not None:
            return self._grant(login, bent_target)
        turn = len(login.refresh_requests) - 1
        bent = login.bend.refreshes[turn] if turn < len(login.bend.refreshes) else TRUE_TOKENS
        return self._grant(login, bent)

    def _grant(self, login: Login, bent: Tokens, **claims: Any) -> Answer:
        if bent.answer is not None:
            return bent.answer
        now = self.clock()
        access_token = self.ledger.secret("access token", secrets.token_urlsafe(24))
        refresh_token = self.ledger.secret("refresh token", secrets.token_urlsafe(24))
        members = {
            "access_token": access_token,
            "token_type": self.token_type,
            "expires_in": 300,
            "refresh_token": refresh_token,
            "scope": login.parameters["scope"],
            **{name: value for name, value in bent.members.items() if name != "id_token"},
        }
        members = applied(members, {}, now)
        claims |= {
            "iss": self.issuer,
            "sub": _subject(login.name),
            "sid": _sid(login.name),
            "aud": self.client_id,
            "exp": int(now) + 300,
            "iat": int(now),
            "auth_time": login.authenticated_at,
            "at_hash": at_hash(access_token),
        }
        header = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}
        id_token = self.ledger.secret(f"ID token of {login.name}", self._forged(header, claims, bent, access_token))
        if _is_openid(login.parameters):
            members = applied(members, {"id_token": bent.members.get("id_token", id_token)}, now)
        login.access_tokens.append(access_token)
        if members.get("refresh_token") == refresh_token:
            login.refresh_tokens.append(refresh_token)
        return json_answer(**members)

    def _userinfo(self, asked: Asked) -> Answer:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        (login,) = [x for logins in self._logins.values() for x in logins if token in x.access_tokens]
        bent: Changes | Answer = login.bend.userinfo_answer or login.bend.userinfo
        if "userinfo" in login.calls:
            bent = login.bend.later_userinfo
        login.calls.append("userinfo")
        claims = {"sub": _subject(login.name), "name": f"Name of {login.name}"}
        return bent if isinstance(bent, Answer) else json_answer(**applied(claims, bent, self.clock()))

    def _revoke(self, asked: Asked) -> Answer:
        self._check_client(asked)
        token = asked.parameters()["token"]
        for logins in self._logins.values():
            for login in logins:
                if token in login.access_tokens or token in login.refresh_tokens:
                    login.revocation_requests.append(token)
                    if login.bend.revocation is not None:
                        return login.bend.revocation
                    login.revoked.append(token)
        return Answer(200)

    def _end_session(self, asked: Asked) -> Answer:
        parameters = asked.parameters()
        if "post_logout_redirect_uri" not in parameters:
            return Answer(200, b"Logged out.", "text/plain")
        assert parameters["client_id"] == self.client_id
        login = self._logins[_name_in(parameters["id_token_hint"])][-1]
        login.calls.append("logout")
        returned = applied({"state": parameters["state"]}, login.bend.logout_return, self.clock())
        where = "?".join(filter(None, [parameters["post_logout_redirect_uri"], urlencode(returned)]))
        return Answer(303, b"", None, (("Location", where),))

    def _forged(self, header: dict[str, Any], claims: dict[str, Any], bent: Tokens, access_token: str = "") -> str:
        now = self.clock()
        header, claims = applied(header, bent.header, now), applied(claims, bent.claims, now)
        return bent.forge(Draft(header, claims, self.key, self.client_secret, access_token))

    def _check_client(self, asked: Asked) -> None:
        basic = asked.headers.get("authorization", "").removeprefix("Basic ")
        if basic:
            self.ledger.secret("client credentials", basic)
            name, _, secret = base64.b64decode(basic).decode().partition(":")
            credentials = unquote_plus(name), unquote_plus(secret)
        else:
            form = asked.parameters()
            credentials = form["client_id"], form["client_secret"]
        self.authentications["basic" if basic else "post"] += 1
        assert credentials == (self.client_id, self.client_secret), "somebody else's credentials"


def _is_openid(parameters: Mapping[str, str]) -> bool:
    return "openid" in parameters["scope"].split()


def _name_in(id_token: str) -> str:
    """The name of the login that ended with this ID token."""
    payload = id_token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(claims["sub"]).removeprefix(_subject(""))


def _subject(name: str) -> str:
    return f"user-of-{name}"


def _sid(name: str) -> str:
    return f"sid-of-{name}"
