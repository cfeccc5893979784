"""The timesheets API as an ASGI application: each operation on one line with the scope that guards it."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bff.demo.timesheets.access_token import AccessTokenValidator, Caller, IssuerKeys
from bff.demo.timesheets.problems import (
    ProblemError,
    insufficient_authentication,
    insufficient_scope,
    no_token,
    problem_response,
)
from bff.demo.timesheets.sheets import Timesheets

MAXIMUM_BODY = 16 * 1024
NO_STORE = {"Cache-Control": "no-store"}

Operation = Callable[[Request, Caller], Awaitable[Response]]


def create_timesheets(
    issuer: str,
    audience: str,
    *,
    approve_acr: str | None = None,
    clock: Callable[[], float] = time.time,
    transport: httpx2.AsyncBaseTransport | None = None,
) -> Starlette:
    """The API for access tokens of `issuer` meant for `audience`; `transport` fetches the issuer's keys.

    `approve_acr` is the authentication context that approvals need (RFC 9470).
    """
    http = httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=5.0)
    validator = AccessTokenValidator(issuer, audience, IssuerKeys(issuer, http, clock), clock)
    operations = Operations(Timesheets(datetime.fromtimestamp(clock(), UTC).date()))

    def guarded(path: str, method: str, scope: str | None, operation: Operation, acr: str | None = None) -> Route:
        async def endpoint(request: Request) -> Response:
            caller = await validator.validate(bearer_token(request))
            if scope is not None and scope not in caller.scope:
                raise insufficient_scope(scope)
            if acr is not None and caller.claims.get("acr") != acr:
                raise insufficient_authentication(acr)
            return await operation(request, caller)

        return Route(path, endpoint, methods=[method])

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        yield
        await http.aclose()

    return Starlette(
        routes=[
            guarded("/timesheets", "GET", "read:timesheets", operations.list),
            guarded("/timesheets", "POST", "create:timesheets", operations.add),
            guarded("/timesheets/{timesheet_id:int}", "GET", "read:timesheets", operations.show),
            guarded("/timesheets/{timesheet_id:int}", "DELETE", "delete:timesheets", operations.delete),
            guarded(
                "/timesheets/{timesheet_id:int}/approve", "POST", "approve:timesheets", operations.approve, approve_acr
            ),
            guarded("/whoami", "GET", None, operations.whoami),
            Route("/healthz", healthz),
        ],
        exception_handlers={ProblemError: problem_response, HTTPException: http_problem},
        lifespan=lifespan,
    )


class Operations:
    """What callers may do once token and scope are checked."""

    def __init__(self, timesheets: Timesheets) -> None:
        self._timesheets = timesheets

    async def list(self, request: Request, caller: Caller) -> Response:
        """GET /timesheets."""
        sheets = [sheet.as_json() for sheet in self._timesheets.visible_to(caller)]
        return JSONResponse({"timesheets": sheets}, headers=NO_STORE)

    async def show(self, request: Request, caller: Caller) -> Response:
        """GET /timesheets/{id}."""
        sheet = self._timesheets.get(caller, request.path_params["timesheet_id"])
        return JSONResponse(sheet.as_json(), headers=NO_STORE)

    async def add(self, request: Request, caller: Caller) -> Response:
        """POST /timesheets."""
        sheet = self._timesheets.add(caller, await json_body(request))
        # Relative, so that it holds under whatever path a proxy has put this API.
        location = f"timesheets/{sheet.timesheet_id}"
        return JSONResponse(sheet.as_json(), 201, {"Location": location, **NO_STORE})

    async def delete(self, request: Request, caller: Caller) -> Response:
        """DELETE /timesheets/{id}."""
        self._timesheets.delete(caller, request.path_params["timesheet_id"])
        return Response(status_code=204)

    async def approve(self, request: Request, caller: Caller) -> Response:
        """POST /timesheets/{id}/approve."""
        sheet = self._timesheets.approve(caller, request.path_params["timesheet_id"])
        return JSONResponse(sheet.as_json(), headers=NO_STORE)

    async def whoami(self, request: Request, caller: Caller) -> Response:
        """GET /whoami: the claims the API works with, never the token."""
        return JSONResponse(caller.claims, headers=NO_STORE)


def bearer_token(request: Request) -> str:
    """The token of the one Authorization header (RFC 6750, section 2.1); raises `ProblemError`."""
    values = request.headers.getlist("authorization")
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise no_token()
    return token.strip()


async def json_body(request: Request) -> Any:
    """The JSON body of at most `MAXIMUM_BODY` bytes; raises `ProblemError`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(415, "not_json", "Not JSON", "The body must be application/json.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAXIMUM_BODY:
            raise ProblemError(413, "body_too_large", "Too large", f"At most {MAXIMUM_BODY} bytes.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise ProblemError(400, "not_json", "Not JSON", "The body is not valid JSON.") from fault


async def healthz(request: Request) -> Response:
    """GET /healthz."""
    return JSONResponse({"status": "ok"})


async def http_problem(request: Request, fault: Exception) -> Response:
    """The router's own refusals (404, 405) as problem details."""
    assert isinstance(fault, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(fault.status_code, "bad_request")
    problem = ProblemError(fault.status_code, code, fault.detail, fault.detail, dict(fault.headers or {}))
    return await problem_response(request, problem)
