"""The session cookie of a request: exactly one, well formed, or none that counts."""

from __future__ import annotations

from dataclasses import dataclass

from bff.asgi.request import Request
from bff.errors import SessionEnded, SessionExpired
from bff.session.cookies import SessionCookies, decode_handle
from bff.sessions import Session, Sessions


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


async def current_session(request: Request, cookies: SessionCookies, sessions: Sessions) -> Session | None:
    """Return the session that is presented, None if it is over or none is; raises `StoreUnavailable`."""
    handle = presented_session(request, cookies).handle
    if handle is None:
        return None
    try:
        return await sessions.resume(handle)
    except (SessionExpired, SessionEnded):
        return None
