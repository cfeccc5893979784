"""The other reference: the gateway one writes in an afternoon with Starlette, httpx2 and redis-py, and no bad one.

One client for all calls with a pool of kept connections, one pool for Redis, uvicorn with uvloop and httptools. It has
no sealing, no refresh, no metrics; login is left out, since it is not what is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import AsyncIterator

import httpx2
import redis.asyncio as redis
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

COOKIE = "session"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
NOT_PASSED_ON = {"host", "cookie", "connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "te"}
NOT_PASSED_BACK = {"connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "content-encoding"}


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open the connections to Redis and the upstream."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=1024)
    async with (
        redis.Redis.from_url(os.environ["NAIVE_REDIS_URL"], max_connections=2048) as app.state.redis,
        httpx2.AsyncClient(
            base_url=os.environ["NAIVE_UPSTREAM_URL"], limits=limits, timeout=60.0
        ) as app.state.upstream,
    ):
        yield


async def call(request: Request) -> Response:
    """Pass a call on with the session's access token."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return JSONResponse({"error": "cross-site"}, 403)
    stored = await request.app.state.redis.get(f"session:{request.cookies.get(COOKIE, '')}")
    if stored is None:
        return JSONResponse({"error": "no session"}, 401)
    session = json.loads(stored)
    if session["expires_at"] < time.time():
        return JSONResponse({"error": "session expired"}, 401)
    headers = {name: value for name, value in request.headers.items() if name not in NOT_PASSED_ON}
    headers["authorization"] = f"Bearer {session['access_token']}"
    answer = await request.app.state.upstream.request(
        request.method,
        request.url.path,
        params=request.query_params,
        headers=headers,
        content=await request.body(),
    )
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in NOT_PASSED_BACK}
    return Response(answer.content, answer.status_code, kept)


app = Starlette(routes=[Route("/api/{path:path}", call, methods=METHODS)], lifespan=lifespan)

if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["NAIVE_PORT"]), loop="uvloop", http="httptools")
