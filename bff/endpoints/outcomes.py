"""What becomes of requests, counted and logged."""

from __future__ import annotations

from bff.asgi import paths
from bff.asgi.request import Request
from bff.errors import BrowserError, CrossOriginRejected, GatewayError, LoginFailed, StoreUnavailable
from bff.logs import event
from bff.telemetry import Metrics


class Outcomes:
    """Tells metrics and log how logins, logouts and refused requests went."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def login(self, outcome: str) -> None:
        """Note a login's start or end, one of `LOGIN_OUTCOMES`."""
        self._metrics.logins.add(outcome)
        if outcome == "succeeded":
            self._metrics.sessions_started += 1

    def logged_out_by_provider(self) -> None:
        """Note a back-channel logout that was carried out."""
        self._metrics.backchannel_logouts.add("accepted")

    def refused(self, request: Request, error: GatewayError) -> None:
        """Note a refused request of the gateway's own endpoints."""
        if request.path == paths.BACKCHANNEL_LOGOUT.encode("ascii"):
            is_refused = isinstance(error, BrowserError | LoginFailed)
            self._metrics.backchannel_logouts.add("refused" if is_refused else "unavailable")
        self.refused_call(error, request.notes.request_id, request.notes.route)

    def refused_call(self, error: GatewayError, request_id: str, route: str) -> None:
        """Note a refused request, a proxied call's too, and why; its access line has the rest."""
        match error:
            case CrossOriginRejected():
                self._metrics.csrf_rejections.add(error.reason.removeprefix("cross_origin."))
            case StoreUnavailable():
                self._metrics.store_errors.add(error.reason.removeprefix("store."))
        event(
            error.log_level,
            "request.refused",
            request_id=request_id,
            route=route,
            code=error.code,
            reason=error.reason,
        )
