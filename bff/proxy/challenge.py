"""What an upstream's 401 or 403 means to the gateway: another login, another token of its own, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bff.errors import StepUpRequired
from bff.http.step_up import AS_GOOD_AS_NOW, CHALLENGED, demanded_step_up, refuses_token

if TYPE_CHECKING:
    from bff.proxy.call_session import CallSession
    from bff.proxy.context import ProxiedRoute, ProxyContext


def step_up(
    context: ProxyContext,
    route: ProxiedRoute,
    status: int,
    fields: list[tuple[bytes, bytes]],
    session: CallSession | None,
) -> StepUpRequired | None:
    """Return the error if an upstream demands another login than the session's (RFC 9470 section 4).

    None too if the session's login is what it demands, or as good as it could be now: a further one would change
    nothing, and the upstream's own answer says what it has to say. A token of the gateway's own that is refused is
    replaced for the next call: nobody could log in again to replace it.
    """
    if status not in CHALLENGED:
        return None
    if session is None:
        if route.client_target is not None and refuses_token(fields):
            context.client_tokens.distrust(route.client_target)
        return None
    demand = demanded_step_up(fields, context.login_params)
    if demand is None or demand.is_met(session.acr, session.auth_time, context.clock(), at_least=AS_GOOD_AS_NOW):
        return None
    return StepUpRequired("upstream.step_up", login_query=demand.query)
