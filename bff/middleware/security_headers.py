"""Header fields that every answer has: the strictest policy, unless the answer brings one of its own."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Sub-domains and the preload list are for whoever runs the domain to decide.
HSTS = b"max-age=31536000"

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)


class SecurityHeaders:
    """Adds what is missing; the gateway's own endpoints are never stored by any cache."""

    def __init__(self, app: ASGIApp, *, is_secure: bool, own_prefix: str) -> None:
        self._app = app
        self._always = (*_ALWAYS, (b"strict-transport-security", HSTS)) if is_secure else _ALWAYS
        self._own_prefix = f"{own_prefix}/".encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        is_own = scope["raw_path"].startswith(self._own_prefix)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                fields: list[tuple[bytes, bytes]] = [
                    (name, value) for name, value in message["headers"] if not (is_own and name == b"cache-control")
                ]
                if is_own:
                    fields.append((b"cache-control", b"no-store"))
                present = {name for name, _ in fields}
                fields.extend((name, value) for name, value in self._always if name not in present)
                message = {**message, "headers": fields}
            await send(message)

        await self._app(scope, receive, send_with_headers)
