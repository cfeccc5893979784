"""Who is logged in at the provider, by browser."""

import secrets
from dataclasses import dataclass, field

from bff.demo.provider.authentication import NAMED
from bff.demo.users import User


@dataclass
class BrowserSession:
    """One login; `session_id` is the `sid` that tokens carry, `auth_time` in seconds since the epoch.

    `context` is the authentication context it has reached.
    """

    user: User
    auth_time: int
    session_id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    context: str = NAMED
    consents: dict[str, set[str]] = field(default_factory=dict)

    def has_consented(self, client_id: str, scope: tuple[str, ...]) -> bool:
        """Whether the user already allowed this client all of `scope`."""
        return set(scope) <= self.consents.get(client_id, set())

    def consent(self, client_id: str, scope: tuple[str, ...]) -> None:
        """Remember the user's consent."""
        self.consents.setdefault(client_id, set()).update(scope)


class BrowserSessions:
    """Sessions by cookie value; the cookie is not the `sid`, which clients get to know."""

    def __init__(self) -> None:
        self._by_cookie: dict[str, BrowserSession] = {}

    def start(self, user: User, now: float) -> tuple[str, BrowserSession]:
        """A new session and the cookie value that stands for it."""
        cookie = secrets.token_urlsafe(32)
        session = BrowserSession(user, int(now))
        self._by_cookie[cookie] = session
        return cookie, session

    def find(self, cookie: str | None) -> BrowserSession | None:
        """The session of a cookie value."""
        return self._by_cookie.get(cookie) if cookie else None

    def by_session_id(self, session_id: str) -> BrowserSession | None:
        """The session that tokens call `session_id`."""
        return next((found for found in self._by_cookie.values() if found.session_id == session_id), None)

    def end(self, session: BrowserSession) -> None:
        """Forget a session."""
        self._by_cookie = {key: kept for key, kept in self._by_cookie.items() if kept is not session}
