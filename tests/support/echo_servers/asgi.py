"""Answers with what uvicorn understood of a request: JSON, every text in base64."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import uvicorn


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    understood = {
        "method": _text(scope["method"].encode()),
        "target": _text(scope["raw_path"] + query),
        "fields": [[_text(name), _text(value)] for name, value in scope["headers"]],
        "body": _text(body),
    }
    content = json.dumps(understood).encode() if scope["method"] != "HEAD" else b""
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": content})


if __name__ == "__main__":
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http="h11" if sys.argv[2] == "h11" else "httptools",
        lifespan="off",
        log_level="warning",
        proxy_headers=False,
        timeout_keep_alive=60,
    )
