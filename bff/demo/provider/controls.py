"""Controls for tests: mounted in front of the provider only when asked for, never in the demonstration."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields, replace
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bff.demo.provider.clients import Client
from bff.demo.provider.disturbance import Disturbance, drop_connection
from bff.demo.provider.logout import send_logout_tokens
from bff.demo.provider.state import Policy, Provider
from bff.demo.provider.token_log import TokenLog

POLICY_FIELDS = frozenset(field.name for field in fields(Policy))


class Controls:
    """The provider with `/test/control`, `/test/log`, `/test/secrets`; disturbs its endpoints on demand."""

    def __init__(self, provider: Provider, application: ASGIApp) -> None:
        self._provider = provider
        self._application = application
        self._log = TokenLog(provider)
        self._prefix = urlsplit(provider.issuer).path.rstrip("/")
        self._disturbances: dict[str, Disturbance] = {}
        self._commands: dict[str, Callable[[Any], Awaitable[Any]]] = {
            "disturb": self._disturb,
            "rotate_keys": self._rotate_keys,
            "client": self._register_client,
            "backchannel_logout": self._backchannel_logout,
        }
        self._endpoints = Starlette(
            routes=[
                Route("/test/control", self._control, methods=["POST"]),
                Route("/test/log", self._show_log, methods=["GET", "DELETE"]),
                Route("/test/secrets", self._show_secrets),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the controls; pass all else on, disturbed where that was asked for."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
        elif scope["path"].startswith("/test/"):
            await self._endpoints(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(self._prefix)
        body = await _read(receive)
        logged = self._log.arrived(scope, body) if path == "/token" else None

        async def handle() -> list[Message]:
            messages = await _handle(self._application, scope, body)
            if logged is not None:
                self._log.handled(logged, messages)
            return messages

        disturbance = self._disturbances.get(path)
        if disturbance is None or not disturbance.use():
            messages = await handle()
        else:
            messages = await handle() if disturbance.after else []
            await disturbance.wait()
            if disturbance.drop or disturbance.status is not None:
                if logged is not None and not disturbance.after:
                    logged.outcome = "dropped" if disturbance.drop else f"status {disturbance.status}"
                messages = disturbance.answer()
            elif not disturbance.after:
                messages = await handle()
            if disturbance.drop:
                await drop_connection(send)
                return
        for message in messages:
            await send(message)

    async def _control(self, request: Request) -> Response:
        """POST /test/control: a JSON object of policy fields and commands."""
        wishes = await request.json()
        unknown = set(wishes) - POLICY_FIELDS - set(self._commands)
        if unknown:
            return JSONResponse({"unknown": sorted(unknown)}, 400)
        for name in POLICY_FIELDS & set(wishes):
            setattr(self._provider.policy, name, wishes[name])
        results = {name: await self._commands[name](wishes[name]) for name in self._commands if name in wishes}
        return JSONResponse({"policy": asdict(self._provider.policy), **results})

    async def _show_log(self, request: Request) -> Response:
        """GET or DELETE /test/log."""
        if request.method == "DELETE":
            self._log.clear()
        return JSONResponse(self._log.report())

    async def _show_secrets(self, request: Request) -> Response:
        """GET /test/secrets: every code and token issued, for tests that look for leaks."""
        return JSONResponse(list(self._provider.issued))

    async def _disturb(self, wishes: dict[str, dict[str, Any] | None]) -> None:
        """Replace the disturbances of the paths named; null ends one. Requests on hold there go on."""
        for path, wish in wishes.items():
            previous = self._disturbances.pop(path, None)
            if wish is not None:
                self._disturbances[path] = Disturbance(**wish)
            if previous is not None:
                previous.release()

    async def _rotate_keys(self, wish: str) -> None:
        """`keep` leaves the previous keys published, `drop` does not."""
        self._provider.keys.rotate(keep_previous=wish == "keep")

    async def _register_client(self, wish: dict[str, Any]) -> None:
        """Register a client, or change one; its redirect URIs are added to those it has."""
        known = self._provider.clients.get(wish["client_id"], Client(wish["client_id"]))
        merged = dict(wish)
        for name in ("redirect_uris", "post_logout_redirect_uris"):
            merged[name] = tuple(dict.fromkeys([*getattr(known, name), *wish.get(name, ())]))
        self._provider.clients[known.client_id] = replace(known, **merged)

    async def _backchannel_logout(self, wish: dict[str, str]) -> list[int | None]:
        """Send a logout token for `sub`, `sid` or both to every client that listens; their statuses."""
        clients = self._provider.clients.values()
        return await send_logout_tokens(self._provider, clients, wish.get("sub"), wish.get("sid"))


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


async def _handle(application: ASGIApp, scope: Scope, body: bytes) -> list[Message]:
    """Run the application on a request that was read whole, and collect its answer."""
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def collect(message: Message) -> None:
        messages.append(dict(message))

    await application(scope, receive, collect)
    return messages
