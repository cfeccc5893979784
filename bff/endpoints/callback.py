"""`/bff/callback`: the redirect URI, where a login ends.

     answer ─► state signed here, recently? ─► login begun in this browser? ─► answer valid? ─► state unused? ─► code
                   │ no                            │ no                                            │ no          │
                   └───────────────────────────────┴───────────────► resume ◄──────────────────────┘             ▼
                                                                                                      session, 303

An answer that is posted comes without cookies: our own page repeats it before it counts as another browser's.

Nothing is asked of the store or the provider before the browser has shown that it began this login. What fails before
the state is used up leaves the login's cookie, so that a reload tries again; what fails after it clears the cookie.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from bff.asgi.answers import START_PAGE, ErrorPage, Refusal, redirection, with_cookies
from bff.asgi.paths import login_link
from bff.asgi.request import Request
from bff.endpoints.pending_logins import PendingLogins
from bff.endpoints.presented_session import presented_session
from bff.endpoints.repeated_answer import MAX_BODY, RepeatedAnswers
from bff.endpoints.resume import ResumeEndpoint
from bff.endpoints.silent_logins import SilentLogins, needs_a_person
from bff.errors import (
    ClientRefused,
    GatewayError,
    InvalidProviderAnswer,
    LoginFailed,
    ProviderUnavailable,
    SessionEnded,
    SessionExpired,
    StoreUnavailable,
)
from bff.logins_under_way import ClaimedLogin
from bff.oauth.authorization_response import AnotherUser, ProviderRefusal, ValidatedCode
from bff.oauth.id_token import UnmetAuthentication
from bff.oauth.return_to import parse_return_to
from bff.oauth.transaction import Transaction
from bff.provider import Login, Provider
from bff.session.cookies import TRANSACTION_MAX_AGE, SessionCookies
from bff.session.record import SessionRecord
from bff.session.signing import StateSigner, StateVerdict
from bff.sessions import Session, Sessions
from bff.tokens import record_from_login

_UNAVAILABLE = (ProviderUnavailable, InvalidProviderAnswer, ClientRefused, StoreUnavailable)


class CallbackEndpoint:
    """Completes logins; `on_login` is told how each ended: see `bff.telemetry.LOGIN_OUTCOMES`."""

    def __init__(
        self,
        *,
        provider: Provider,
        sessions: Sessions,
        pending: PendingLogins,
        repeated: RepeatedAnswers,
        resume: ResumeEndpoint,
        silent: SilentLogins,
        cookies: SessionCookies,
        states: StateSigner,
        clock: Callable[[], float],
        on_login: Callable[[str], None],
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._pending = pending
        self._repeated = repeated
        self._resume = resume
        self._silent = silent
        self._cookies = cookies
        self._states = states
        self._clock = clock
        self._on_login = on_login

    async def complete(self, request: Request) -> Response:
        """Answer the provider's redirect: a session and a redirection, or a page that says why not."""
        return await self._complete(request, request.query, may_repeat=self._silent.is_framed(request))

    async def complete_posted(self, request: Request) -> Response:
        """Answer the provider's form post the same way, once our own page has repeated it."""
        body = await request.form_body(MAX_BODY)
        try:
            answer, is_repeated = self._repeated.original(body)
        except LoginFailed as error:
            self._on_login("failed")
            raise Refusal(error, _page("/")) from error
        return await self._complete(request, answer, may_repeat=not is_repeated)

    async def _complete(self, request: Request, encoded: bytes, *, may_repeat: bool) -> Response:
        try:
            state = self._provider.response_state(encoded)
            if state is None:
                raise LoginFailed("callback.malformed")
        except LoginFailed as error:
            self._on_login("failed")
            raise Refusal(error, _page("/")) from error
        verdict = self._states.verify(state, TRANSACTION_MAX_AGE, self._clock())
        if verdict is not StateVerdict.FRESH:
            return await self._stray(request, f"callback.state_{verdict.value}", "/", ())
        transaction = self._pending.find(request, state)
        if transaction is None and may_repeat:
            return self._repeated.page(encoded, is_framed=self._silent.is_framed(request))
        if transaction is None:
            return await self._stray(request, "callback.state_unknown", "/", ())
        return await self._silent.answered(
            request,
            transaction,
            lambda: self._finish(request, encoded, transaction),
            cleared=self._pending.clear(state),
        )

    async def _finish(self, request: Request, encoded: bytes, transaction: Transaction) -> Response:
        """Return a redirection with the new session; raises a `Refusal`."""
        state = transaction.state
        code = await self._validated_code(encoded, transaction)
        try:
            claimed = await self._sessions.claim_login(state, transaction.started_at)
        except StoreUnavailable as error:
            raise self._postponed(error) from error
        if claimed is None:
            cleared = self._pending.clear(state)
            return await self._stray(request, "callback.state_spent", transaction.return_to, cleared)
        try:
            session = await self._session(request, code, transaction, claimed)
        except GatewayError as error:
            raise self._failed(error, transaction) from error
        self._on_login("succeeded")
        finished = self._pending.finish(request, state, session_key=session.key)
        answer = redirection(transaction.return_to)
        return with_cookies(answer, (self._cookies.set_session(session.handle), *finished))

    async def _validated_code(self, encoded: bytes, transaction: Transaction) -> ValidatedCode:
        try:
            return await self._provider.validated_code(encoded, transaction)
        except LoginFailed as error:
            raise self._failed(error, transaction) from error
        except _UNAVAILABLE as error:
            raise self._postponed(error) from error

    async def _session(
        self, request: Request, code: ValidatedCode, transaction: Transaction, claimed: ClaimedLogin
    ) -> Session:
        """Redeem the code and start the session; the ones presented now and when the login began end with it."""
        handle = presented_session(request, self._cookies).handle
        presented = None if handle is None else self._sessions.store_key(handle)
        previous = {key for key in (transaction.previous_session,) if key is not None} - {presented}
        login = await self._provider.redeem(code, transaction)
        try:
            if transaction.subject not in (None, login.subject):
                raise AnotherUser
            session = await self._sessions.start(self._record(login), claimed, previous=previous)
            replaced = None if handle is None else await self._sessions.end_presented(handle, "replaced")
        except GatewayError as error:
            tokens = login.tokens
            self._provider.revoke_later(
                refresh_token=tokens.refresh_token, access_token=tokens.access_token, dpop_key=login.dpop_key
            )
            if isinstance(error, SessionEnded | SessionExpired):
                raise LoginFailed(f"callback.{error.reason}") from error
            raise
        if replaced is not None and replaced.subject != session.record.subject:
            # Not the same user's: many providers would revoke the new tokens along with the old.
            self._provider.revoke_all_later(replaced)
        return session

    def _record(self, login: Login) -> SessionRecord:
        return record_from_login(login, now=self._clock(), max_lifetime=self._sessions.max_lifetime)

    async def _stray(self, request: Request, reason: str, return_to: str, set_cookies: tuple[str, ...]) -> Response:
        self._on_login("stray")
        if self._silent.is_framed(request):
            return self._silent.failure(request, Refusal(LoginFailed(reason), set_cookies=set_cookies))
        return await self._resume.after_callback(request, LoginFailed(reason), parse_return_to(return_to), set_cookies)

    def _postponed(self, error: GatewayError) -> Refusal:
        """Return the answer to what a reload may mend: the state is unused and its cookie stays."""
        self._on_login("unavailable")
        return Refusal(error, ErrorPage(lines=("Please reload this page to try again.",)))

    def _failed(self, error: GatewayError, transaction: Transaction) -> Refusal:
        """Return the answer to what only a new login can mend."""
        match error:
            case ProviderRefusal() if transaction.silent is not None and needs_a_person(error):
                outcome, lines = "not_logged_in", (error.explanation,)
            case ProviderRefusal() | UnmetAuthentication():
                outcome, lines = "refused", (error.explanation,)
            case LoginFailed():
                outcome, lines = "failed", ("The identity provider's answer could not be accepted.",)
            case _:
                outcome, lines = "unavailable", ("Please sign in again in a moment.",)
        self._on_login(outcome)
        return Refusal(error, _page(transaction.return_to, *lines), self._pending.clear(transaction.state))


def _page(return_to: str, *lines: str) -> ErrorPage:
    return ErrorPage(lines=lines, links=((login_link(return_to), "Sign in again"), START_PAGE))
