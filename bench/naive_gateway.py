"""The other reference: the gateway one writes in an afternoon with Starlette, httpx2 and redis-py, and no bad one.

For each call it does what the gateway does: a sealed session from Redis, the cross-origin verdict, header hygiene, a
body that is passed on as it comes, an access line, metrics. One client for all calls with a pool of kept connections,
one pool for Redis, uvicorn with uvloop and httptools. Login and refresh are left out, since they are not measured.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator

import httpx2
import redis.asyncio as redis
import uvicorn
from cryptography.fernet import Fernet
from prometheus_client import Histogram
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

COOKIE = "session"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
BODYLESS = {"GET", "HEAD"}
NOT_PASSED_ON = {"host", "cookie", "authorization", "connection", "keep-alive", "transfer-encoding", "upgrade", "te"}
NOT_PASSED_BACK = {"connection", "keep-alive", "transfer-encoding", "upgrade", "set-cookie", "date", "server"}
SECONDS = Histogram("naive_request_seconds", "How long calls took.", ["method", "status"])

log = logging.getLogger("naive")


class Access(BaseHTTPMiddleware):
    """Writes a line and counts, for each call."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Serve the call, then tell of it."""
        request.state.id = uuid.uuid4().hex
        begun = time.perf_counter()
        response = await call_next(request)
        seconds = time.perf_counter() - begun
        response.headers["x-request-id"] = request.state.id
        SECONDS.labels(request.method, response.status_code).observe(seconds)
        line = {
            "request_id": request.state.id,
            "method": request.method,
            "path": request.url.path,
            "status": response.status_code,
            "duration_ms": round(seconds * 1000, 3),
            "client": request.client.host if request.client else None,
        }
        log.info("%s", json.dumps(line))
        return response


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open the connections to Redis and the upstream."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=1024)
    app.state.seal = Fernet(os.environ["NAIVE_KEY"])
    async with (
        redis.Redis.from_url(os.environ["NAIVE_REDIS_URL"], max_connections=2048) as app.state.redis,
        httpx2.AsyncClient(
            base_url=os.environ["NAIVE_UPSTREAM_URL"], limits=limits, timeout=60.0
        ) as app.state.upstream,
    ):
        yield


async def call(request: Request) -> Response:
    """Pass a call on with the session's access token."""
    state = request.app.state
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return JSONResponse({"error": "cross-site"}, 403)
    stored = await state.redis.get(f"session:{request.cookies.get(COOKIE, '')}")
    if stored is None:
        return JSONResponse({"error": "no session"}, 401)
    session = json.loads(state.seal.decrypt(stored))
    if session["expires_at"] < time.time():
        return JSONResponse({"error": "session expired"}, 401)
    headers = {name: value for name, value in request.headers.items() if name not in NOT_PASSED_ON}
    headers["authorization"] = f"Bearer {session['access_token']}"
    headers["x-request-id"] = request.state.id
    headers["x-forwarded-for"] = request.client.host if request.client else "-"
    headers["x-forwarded-proto"] = request.url.scheme
    asked = state.upstream.build_request(
        request.method,
        request.url.path,
        params=request.query_params,
        headers=headers,
        content=None if request.method in BODYLESS else request.stream(),
    )
    answer = await state.upstream.send(asked, stream=True)
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in NOT_PASSED_BACK}
    return StreamingResponse(answer.aiter_raw(), answer.status_code, kept, background=BackgroundTask(answer.aclose))


app = Starlette(
    routes=[Route("/api/{path:path}", call, methods=METHODS)], middleware=[Middleware(Access)], lifespan=lifespan
)

if __name__ == "__main__":
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    for talkative in ("httpx2", "httpcore2"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    uvicorn.run(app, port=int(os.environ["NAIVE_PORT"]), loop="uvloop", http="httptools", access_log=False)
