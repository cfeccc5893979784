"""What is written down of a call once it has ended: one line and one count."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from bff.errors import GatewayError
    from bff.proxy.context import ProxiedRoute, ProxyContext
    from bff.proxy.request import Request

_CLIENT_CLOSED_REQUEST = 499


class Report(msgspec.Struct, eq=False, gc=False):
    """What an exchange notes of itself; times are monotonic seconds, `status` 0 until there is one."""

    status: int = 0
    sent: int = 0
    sent_at: float = 0.0
    answered_at: float = 0.0

    def answered(self, status: int) -> None:
        """Note the status of the upstream's answer, and when it came."""
        self.status = status
        self.answered_at = monotonic()

    def write(
        self, context: ProxyContext, route: ProxiedRoute, request: Request, *, client: str, code: str | None
    ) -> None:
        """Write the access line and count the call; without a status the browser left before there was one."""
        seconds = monotonic() - request.started_at
        status = self.status or _CLIENT_CLOSED_REQUEST
        route.meter.observe(status, seconds)
        context.access_log.write(
            request.request_id,
            route.prefix,
            request.method.decode("ascii"),
            request.path,
            status,
            self.sent,
            seconds * 1000,
            (self.answered_at - self.sent_at) * 1000 if self.answered_at else None,
            client,
            code,
        )


def report_refusal(context: ProxyContext, route: ProxiedRoute, request: Request, error: GatewayError) -> None:
    """Count a call that was refused or broken off, and log why; the access line has the rest."""
    route.meter.refused(error.code)
    context.on_refusal(error, request.request_id, route.prefix)
