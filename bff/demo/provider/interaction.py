"""What ties a form to the page it was on and to the browser that was shown it."""

import secrets
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from bff.demo.provider.authentication import NAMED
from bff.demo.provider.browser_sessions import BrowserSession
from bff.demo.provider.errors import PageError
from bff.demo.provider.state import Provider

FORM_LIFETIME = 900
BROWSER_COOKIE = "provider_browser"
SESSION_COOKIE = "provider_session"


class Interaction:
    """One request of a browser: its session, its form tokens, and the cookies its answer sets."""

    def __init__(self, provider: Provider, form_key: bytes, request: Request) -> None:
        self._provider = provider
        self._form_key = form_key
        self._cookies: dict[str, str] = {}
        self._browser = request.cookies.get(BROWSER_COOKIE, "")
        self.session = provider.sessions.find(request.cookies.get(SESSION_COOKIE))

    def seal_form(self, purpose: str, content: Mapping[str, Any]) -> str:
        """A token for a form of `purpose`, good in this browser for `FORM_LIFETIME` seconds."""
        if not self._browser:
            self._browser = secrets.token_urlsafe(16)
            self._cookies[BROWSER_COOKIE] = self._browser
        return self._serializer(purpose).dumps({"browser": self._browser, "content": dict(content)})

    def open_form(self, purpose: str, token: str) -> dict[str, Any]:
        """The content of a form token; raises `PageError` when it is foreign, stale or of another browser."""
        try:
            sealed = self._serializer(purpose).loads(token, max_age=FORM_LIFETIME)
        except BadSignature as fault:
            raise PageError("This form has expired. Go back to the application and log in again.") from fault
        if not self._browser or not secrets.compare_digest(sealed["browser"].encode(), self._browser.encode()):
            raise PageError("This form belongs to another browser, or cookies are switched off.")
        content: dict[str, Any] = sealed["content"]
        return content

    def log_in(self, username: str) -> BrowserSession | None:
        """Start a session, or renew the one the same user has; None when nobody has that name."""
        user = self._provider.users.get(username.strip().lower())
        if user is None:
            return None
        now = self._provider.clock()
        if self.session is not None and self.session.user == user:
            self.session.auth_time, self.session.context = int(now), NAMED
            return self.session
        if self.session is not None:
            self._provider.sessions.end(self.session)
        cookie, self.session = self._provider.sessions.start(user, now)
        self._cookies[SESSION_COOKIE] = cookie
        return self.session

    def finish(self, response: Response) -> Response:
        """Set on `response` the cookies this request gave rise to."""
        for name, value in self._cookies.items():
            response.set_cookie(name, value, httponly=True, samesite="lax", path="/")
        return response

    def _serializer(self, purpose: str) -> URLSafeTimedSerializer:
        options = {"key_derivation": "hmac", "digest_method": sha256}
        return URLSafeTimedSerializer(self._form_key, salt=purpose, signer_kwargs=options)
