"""What is written down of a call once it has ended: one line and one count."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bff.errors import GatewayError
    from bff.proxy.context import ProxiedRoute, ProxyContext
    from bff.proxy.request import Request

_CLIENT_CLOSED_REQUEST = 499


def report(
    context: ProxyContext,
    route: ProxiedRoute,
    request: Request,
    *,
    client: str,
    status: int,
    sent: int,
    ended_at: float,
    upstream_seconds: float | None,
    code: str | None,
) -> None:
    """Write the access line and count the call; `status` 0 means that the browser left before there was one."""
    seconds = ended_at - request.started_at
    status = status or _CLIENT_CLOSED_REQUEST
    route.meter.observe(status, seconds)
    context.access_log.write(
        request.request_id,
        route.prefix,
        request.method.decode("ascii"),
        request.path,
        status,
        sent,
        seconds * 1000,
        None if upstream_seconds is None else upstream_seconds * 1000,
        client,
        code,
    )


def report_refusal(context: ProxyContext, route: ProxiedRoute, request: Request, error: GatewayError) -> None:
    """Count a call that was refused or broken off, and log why; the access line has the rest."""
    route.meter.refused(error.code)
    context.on_refusal(error, request.request_id, route.prefix)
