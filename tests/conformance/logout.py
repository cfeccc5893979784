"""Logout tokens as a provider posts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from tests.conformance.play import Claims, Play
from tests.support.asgi_call import Answer
from tests.support.signed_tokens import CLIENT_ID, ISSUER
from tests.support.virtual_time import clock

EVENT = "http://schemas.openid.net/event/backchannel-logout"
FORM = [("Content-Type", "application/x-www-form-urlencoded")]


async def post(
    play: Play, *, claims: dict[str, Any] | None = None, forge: Callable[[Claims], str] | None = None
) -> Answer:
    """Post a logout token about the user, with claims changed or forged altogether; `...` leaves a claim out."""
    now = int(clock())
    said: Claims = {
        "iss": ISSUER,
        "sub": "user-1",
        "aud": CLIENT_ID,
        "iat": now,
        "exp": now + 120,
        "jti": "logout-1",
        "events": {EVENT: {}},
        **(claims or {}),
    }
    token = (forge or (lambda all_of_it: play.sign(all_of_it, typ="logout+jwt")))(said)
    body = urlencode({"logout_token": token}).encode()
    return await play.site.call("POST", "/bff/backchannel-logout", FORM, body=body)
