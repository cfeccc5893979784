"""The authorization endpoint: log in, consent, hand out a code."""

import secrets
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bff.demo.provider.authentication import reaches
from bff.demo.provider.authorization_request import (
    AuthorizationRefusedError,
    AuthorizationRequest,
    parse_authorization_request,
    redirect_location,
)
from bff.demo.provider.browser_sessions import BrowserSession
from bff.demo.provider.errors import OAuthError, PageError
from bff.demo.provider.forms import form_parameters, query_parameters
from bff.demo.provider.grants import Grant
from bff.demo.provider.interaction import Interaction
from bff.demo.provider.pages import Pages
from bff.demo.provider.pushed_requests import PushedRequests
from bff.demo.provider.state import Provider

LOGIN_FORM = "login"
CONFIRMATION_FORM = "confirmation"
CONSENT_FORM = "consent"


class AuthorizationEndpoint:
    """Serves authorization requests (OpenID Connect Core 1.0, section 3.1.2) and their two pages."""

    def __init__(self, provider: Provider, pages: Pages, pushed: PushedRequests, form_key: bytes) -> None:
        self._provider = provider
        self._pushed = pushed
        self._pages = pages
        self._form_key = form_key

    async def authorize(self, request: Request) -> Response:
        """GET or POST /authorize."""
        interaction = Interaction(self._provider, self._form_key, request)
        try:
            parameters = await form_parameters(request) if request.method == "POST" else query_parameters(request)
            return interaction.finish(self._begin(interaction, parameters))
        except OAuthError as fault:
            return self._pages.error(fault.description)
        except PageError as fault:
            return self._pages.error(str(fault))
        except AuthorizationRefusedError as refusal:
            return self._deliver(refusal.parameters, refusal.answer)

    async def log_in(self, request: Request) -> Response:
        """POST /login: the login page's form."""
        interaction = Interaction(self._provider, self._form_key, request)
        try:
            form = await form_parameters(request)
            content = interaction.open_form(LOGIN_FORM, form.get("form", ""))
            asked = parse_authorization_request(self._provider, content["parameters"])
            if "cancel" in form:
                raise AuthorizationRefusedError(asked.parameters, "access_denied", "The user cancelled.")
            session = interaction.log_in(form.get("username", ""))
            if session is None:
                return interaction.finish(self._login_page(interaction, asked, "Nobody here has that name."))
            return interaction.finish(self._after_login(interaction, asked, session))
        except (OAuthError, PageError) as fault:
            return self._pages.error(getattr(fault, "description", str(fault)))
        except AuthorizationRefusedError as refusal:
            return self._deliver(refusal.parameters, refusal.answer)

    async def confirm(self, request: Request) -> Response:
        """POST /confirm: the form of the second step."""
        interaction = Interaction(self._provider, self._form_key, request)
        try:
            form = await form_parameters(request)
            content = interaction.open_form(CONFIRMATION_FORM, form.get("form", ""))
            asked = parse_authorization_request(self._provider, content["parameters"])
            session = interaction.session
            if session is None or session.session_id != content["session_id"]:
                raise PageError("Someone else has logged in meanwhile. Go back to the application.")
            if "confirm" not in form:
                raise AuthorizationRefusedError(asked.parameters, "access_denied", "The user cancelled.")
            self._confirmed(session, asked)
            return interaction.finish(self._after_login(interaction, asked, session))
        except (OAuthError, PageError) as fault:
            return self._pages.error(getattr(fault, "description", str(fault)))
        except AuthorizationRefusedError as refusal:
            return self._deliver(refusal.parameters, refusal.answer)

    async def consent(self, request: Request) -> Response:
        """POST /consent: the consent page's form."""
        interaction = Interaction(self._provider, self._form_key, request)
        try:
            form = await form_parameters(request)
            content = interaction.open_form(CONSENT_FORM, form.get("form", ""))
            asked = parse_authorization_request(self._provider, content["parameters"])
            session = interaction.session
            if session is None or session.session_id != content["session_id"]:
                raise PageError("Someone else has logged in meanwhile. Go back to the application.")
            if "allow" not in form:
                raise AuthorizationRefusedError(asked.parameters, "access_denied", "The user did not consent.")
            session.consent(asked.client.client_id, tuple(content["scope"]))
            return interaction.finish(self._answer(asked, session))
        except (OAuthError, PageError) as fault:
            return self._pages.error(getattr(fault, "description", str(fault)))
        except AuthorizationRefusedError as refusal:
            return self._deliver(refusal.parameters, refusal.answer)

    def _begin(self, interaction: Interaction, parameters: Mapping[str, str]) -> Response:
        asked = parse_authorization_request(self._provider, self._pushed.resolve(parameters))
        session = interaction.session
        fresh = session is not None and self._is_recent(session, asked)
        if "none" in asked.prompts:
            return self._without_pages(asked, session if fresh else None)
        username = self._automatic_username(asked)
        if username is not None:
            if not fresh or session is None or session.user.username != username:
                session = interaction.log_in(username)
            if session is not None:
                if not reaches(session.context, asked.context):
                    self._confirmed(session, asked)
                return self._answer(asked, session)
        if session is None or not fresh:
            return self._login_page(interaction, asked)
        return self._after_login(interaction, asked, session)

    def _without_pages(self, asked: AuthorizationRequest, session: BrowserSession | None) -> Response:
        """`prompt=none`: a code or an error, never a page."""
        if session is None:
            raise AuthorizationRefusedError(asked.parameters, "login_required", "Nobody is logged in.")
        if not reaches(session.context, asked.context):
            raise AuthorizationRefusedError(asked.parameters, "login_required", "The login must be confirmed.")
        needs_consent = not session.has_consented(asked.client.client_id, session.user.grantable(asked.scope))
        if needs_consent and self._provider.policy.automatic_login is None:
            raise AuthorizationRefusedError(asked.parameters, "consent_required", "The user has not consented.")
        return self._answer(asked, session)

    def _confirmed(self, session: BrowserSession, asked: AuthorizationRequest) -> None:
        session.auth_time, session.context = int(self._provider.clock()), asked.context

    def _after_login(self, interaction: Interaction, asked: AuthorizationRequest, session: BrowserSession) -> Response:
        if not reaches(session.context, asked.context):
            content = {"parameters": dict(asked.parameters), "session_id": session.session_id}
            form = interaction.seal_form(CONFIRMATION_FORM, content)
            return self._pages.confirm(form, asked.client.name, session.user)
        scope = session.user.grantable(asked.scope)
        if session.has_consented(asked.client.client_id, scope) and "consent" not in asked.prompts:
            return self._answer(asked, session)
        content = {
            "parameters": dict(asked.parameters),
            "session_id": session.session_id,
            "scope": scope,
        }
        form = interaction.seal_form(CONSENT_FORM, content)
        return self._pages.consent(form, asked.client.name, session.user, scope)

    def _login_page(
        self, interaction: Interaction, asked: AuthorizationRequest, problem: str | None = None
    ) -> Response:
        form = interaction.seal_form(LOGIN_FORM, {"parameters": dict(asked.parameters)})
        return self._pages.login(form, asked.client.name, asked.login_hint, problem)

    def _answer(self, asked: AuthorizationRequest, session: BrowserSession) -> Response:
        grant = Grant(
            client_id=asked.client.client_id,
            user=session.user,
            scope=session.user.grantable(asked.scope),
            audience=asked.audience,
            session_id=session.session_id,
            auth_time=session.auth_time,
            resources=asked.resources,
            acr=session.context,
            nonce=asked.parameters.get("nonce"),
        )
        code = self._provider.grants.issue_code(grant, asked.redirect_uri, asked.code_challenge, self._provider.clock())
        self._provider.issued.append(code)
        answer = {"code": code}
        if "state" in asked.parameters:
            answer["state"] = asked.parameters["state"]
        return self._deliver(asked.parameters, answer)

    def _deliver(self, parameters: Mapping[str, str], answer: Mapping[str, str]) -> Response:
        """The answer to the client with `iss` (RFC 9207), in the mode the client asked for."""
        redirect_uri, answer = parameters["redirect_uri"], {**answer, "iss": self._provider.issuer}
        if parameters.get("response_mode") == "form_post":
            return self._pages.form_post(redirect_uri, answer)
        location = redirect_location(redirect_uri, answer)
        return RedirectResponse(location, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})

    def _is_recent(self, session: BrowserSession, asked: AuthorizationRequest) -> bool:
        if asked.prompts & {"login", "select_account"}:
            return False
        return asked.max_age is None or self._provider.clock() - session.auth_time <= asked.max_age

    def _automatic_username(self, asked: AuthorizationRequest) -> str | None:
        automatic = self._provider.policy.automatic_login
        wanted = asked.login_hint if automatic == "hint" else automatic
        return wanted if wanted in self._provider.users else None


def new_form_key() -> bytes:
    """A key for form tokens, good for this process."""
    return secrets.token_bytes(32)
