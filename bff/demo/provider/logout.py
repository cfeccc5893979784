"""Ending logins: RP-initiated logout, and the logout tokens that tell the other clients."""

import asyncio
from collections.abc import Iterable, Mapping

import httpx2
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bff.demo.provider.authorization_request import redirect_location
from bff.demo.provider.browser_sessions import BrowserSession
from bff.demo.provider.clients import Client
from bff.demo.provider.errors import OAuthError, PageError
from bff.demo.provider.forms import form_parameters, query_parameters
from bff.demo.provider.interaction import Interaction
from bff.demo.provider.pages import Pages
from bff.demo.provider.state import Provider
from bff.demo.provider.token_claims import ID_TOKEN_TYPE, logout_token

LOGOUT_FORM = "logout"
BACKCHANNEL_TIMEOUT = 5.0


class LogoutEndpoint:
    """OpenID Connect RP-Initiated Logout 1.0."""

    def __init__(self, provider: Provider, pages: Pages, form_key: bytes) -> None:
        self._provider = provider
        self._pages = pages
        self._form_key = form_key

    async def end_session(self, request: Request) -> Response:
        """GET or POST /logout; asks first unless the ID token hint is of the very session."""
        interaction = Interaction(self._provider, self._form_key, request)
        try:
            parameters = await form_parameters(request) if request.method == "POST" else query_parameters(request)
            hint = self._hint_claims(parameters)
            destination = self._destination(parameters, hint)
        except (OAuthError, PageError) as fault:
            return self._pages.error(getattr(fault, "description", str(fault)))
        hinted = self._provider.sessions.by_session_id(str(hint.get("sid"))) if hint else None
        session = hinted or interaction.session
        if session is None:
            return self._leave(destination)
        if hinted is None or interaction.session not in (None, hinted):
            content = {"session_id": session.session_id, "destination": destination}
            form = interaction.seal_form(LOGOUT_FORM, content)
            return interaction.finish(self._pages.confirm_logout(form, session.user))
        await end_browser_session(self._provider, session)
        return self._leave(destination)

    async def confirm(self, request: Request) -> Response:
        """POST /logout/confirm: the confirmation page's form."""
        interaction = Interaction(self._provider, self._form_key, request)
        try:
            form = await form_parameters(request)
            content = interaction.open_form(LOGOUT_FORM, form.get("form", ""))
        except (OAuthError, PageError) as fault:
            return self._pages.error(getattr(fault, "description", str(fault)))
        session = self._provider.sessions.by_session_id(content["session_id"])
        if session is not None:
            await end_browser_session(self._provider, session)
        return self._leave(content["destination"])

    def _hint_claims(self, parameters: Mapping[str, str]) -> Mapping[str, object]:
        """The claims of `id_token_hint`, expired or not; nothing without one."""
        hint = parameters.get("id_token_hint")
        if hint is None:
            return {}
        try:
            return self._provider.keys.verify(hint, token_type=ID_TOKEN_TYPE)
        except (JoseError, ValueError) as fault:
            raise PageError("The ID token hint is not one of ours.") from fault

    def _destination(self, parameters: Mapping[str, str], hint: Mapping[str, object]) -> str | None:
        """Where to go afterwards: an exactly registered URI of the client that asks, with `state`."""
        wanted = parameters.get("post_logout_redirect_uri")
        client_id = str(hint.get("aud") or parameters.get("client_id", ""))
        if "client_id" in parameters and parameters["client_id"] != client_id:
            raise PageError("The ID token hint is of another application.")
        if wanted is None:
            return None
        client = self._provider.clients.get(client_id)
        if client is None or wanted not in client.post_logout_redirect_uris:
            raise PageError("The application wants you sent to an address that is not registered.")
        return redirect_location(wanted, {"state": parameters["state"]}) if "state" in parameters else wanted

    def _leave(self, destination: str | None) -> Response:
        if destination is None:
            return self._pages.logged_out()
        return RedirectResponse(destination, 303, {"Cache-Control": "no-store"})


async def end_browser_session(provider: Provider, session: BrowserSession) -> None:
    """End a login, its grants without `offline_access`, and tell every client that had a part in it."""
    provider.sessions.end(session)
    grants = provider.grants.of_session(session.session_id)
    for grant in grants:
        if "offline_access" not in grant.scope:
            provider.grants.end(grant, "logout")
    clients = {grant.client_id: provider.clients[grant.client_id] for grant in grants}
    await send_logout_tokens(provider, clients.values(), session.user.subject, session.session_id)


async def send_logout_tokens(
    provider: Provider, clients: Iterable[Client], subject: str | None, session_id: str | None
) -> list[int | None]:
    """POST a logout token to each client that wants one; their statuses, None for one that did not answer."""
    listening = [client for client in clients if client.backchannel_logout_uri]
    return list(
        await asyncio.gather(*(_send_logout_token(provider, client, subject, session_id) for client in listening))
    )


async def _send_logout_token(
    provider: Provider, client: Client, subject: str | None, session_id: str | None
) -> int | None:
    """OpenID Connect Back-Channel Logout 1.0, section 2.5."""
    token = logout_token(provider, client.client_id, subject, session_id)
    provider.issued.append(token)
    status = None
    try:
        answer = await provider.http.post(
            str(client.backchannel_logout_uri), data={"logout_token": token}, timeout=BACKCHANNEL_TIMEOUT
        )
        status = answer.status_code
    except httpx2.HTTPError as fault:
        provider.record("backchannel_logout_failed", client_id=client.client_id, reason=type(fault).__name__)
    provider.record("backchannel_logout", client_id=client.client_id, status=status, sub=subject, sid=session_id)
    return status
