"""The session cookie of a request: exactly one, well formed, or none that counts."""

from __future__ import annotations

from dataclasses import dataclass

from bff.asgi.request import Request
from bff.session.cookies import SessionCookies, decode_handle


@dataclass(frozen=True, slots=True)
class PresentedSession:
    """What the request presents: a handle, or None; `cleanup` are the `Set-Cookie` lines that remove what is no handle.

    A well-formed cookie whose session is over is not removed: the answer could overtake the cookie of a new login.
    """

    handle: bytes | None
    cleanup: tuple[str, ...] = ()


def presented_session(request: Request, cookies: SessionCookies) -> PresentedSession:
    """Return the presented session; a cookie sent twice presents none, for one of the two may be a stranger's."""
    values = request.cookie(cookies.session_name)
    if not values:
        return PresentedSession(None)
    handle = decode_handle(values[0]) if len(values) == 1 else None
    return PresentedSession(handle, () if handle is not None else (cookies.clear_session(),))
