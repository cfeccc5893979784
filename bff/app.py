"""The composition root: everything the gateway is made of, put together here and nowhere else.

browser ──► a proxied route ──► bff.proxy ────────────────────────────────► upstream
   └──────► all the rest ─────► access ► headers ► errors ► route table ──► an endpoint, or the application's files
"""

from __future__ import annotations

import sys
import time
from typing import Any

from starlette.types import ASGIApp

from bff.asgi import paths
from bff.endpoints.backchannel_logout import BackchannelLogoutEndpoint
from bff.endpoints.callback import CallbackEndpoint
from bff.endpoints.health import Health
from bff.endpoints.login import LoginEndpoint
from bff.endpoints.login_parameters import LoginParametersReader
from bff.endpoints.logout import LogoutEndpoint
from bff.endpoints.logout_return import LogoutReturn
from bff.endpoints.outcomes import Outcomes
from bff.endpoints.pending_logins import PendingLogins
from bff.endpoints.repeated_answer import RepeatedAnswers
from bff.endpoints.resume import ResumeEndpoint
from bff.endpoints.routing import Endpoint, Endpoints, Protection
from bff.endpoints.session import SessionEndpoint
from bff.endpoints.silent_logins import SilentLogins
from bff.gateway import Clock, Gateway, Parts, RandomBytes
from bff.logs import AccessLog, LineWriter, event
from bff.middleware.access import Access
from bff.middleware.error_answers import ErrorAnswers
from bff.middleware.security_headers import SecurityHeaders
from bff.provider import Provider, RenewablePool, mutual_tls, open_pool, plain_tls, renew_tls
from bff.proxy.bound_token import UpstreamProofs
from bff.proxy.context import ProxiedRoute, ProxyContext
from bff.renewal import CredentialRenewal
from bff.session.cookies import SessionCookies
from bff.session.sealing import Sealer, sealing_context
from bff.session.signing import StateSigner
from bff.session.store import SessionStore
from bff.sessions import Sessions
from bff.settings import Settings
from bff.settings.urls import origin_of
from bff.static_files import Placeholder, StaticFiles, read_manifest
from bff.stores import open_store, trust_authorities
from bff.telemetry import Metrics
from bff.tokens import ClientTokens, Tokens


def create_app(
    settings: Settings,
    *,
    clock: Clock,
    random_bytes: RandomBytes,
    store: SessionStore | None = None,
    provider_transport: Any = None,
    log_lines: LineWriter | None = None,
) -> Gateway:
    """Return a gateway that has contacted nobody yet.

    `clock` tells seconds since the epoch; `provider_transport` is an `httpx2.AsyncBaseTransport`. Raises `OSError` if
    a file that the settings name cannot be read, `ValueError` for a store's URL that cannot be used.
    """
    metrics = Metrics()
    context = sealing_context(settings.issuer, settings.client_id, settings.public_url.origin)
    secret_keys = [key.reveal().encode() for key in settings.secret_keys]
    sealer = Sealer(secret_keys, context, random_bytes=random_bytes)
    store = store or open_store(settings, clock)
    tls, mutual = plain_tls(settings), mutual_tls(settings)
    pool = provider_transport or RenewablePool(lambda: open_pool(mutual))
    provider = Provider(settings, pool, clock=clock, random_bytes=random_bytes)
    sessions = Sessions(
        store,
        sealer,
        idle=settings.session_idle,
        max_lifetime=settings.session_max,
        clock=clock,
        random_bytes=random_bytes,
        on_event=event,
        on_end=metrics.sessions_ended.add,
    )
    on_refresh = metrics.refreshes.add
    parts = Parts(
        settings=settings,
        clock=clock,
        random_bytes=random_bytes,
        store=store,
        sealer=sealer,
        states=StateSigner(secret_keys, context),
        logout_states=StateSigner(secret_keys, b"logout" + context),
        cookies=SessionCookies(settings.cookie_name, settings.public_url.is_secure),
        sessions=sessions,
        provider=provider,
        tokens=Tokens(provider, sessions, clock=clock, random_bytes=random_bytes, on_refresh=on_refresh),
        client_tokens=ClientTokens(
            provider, store, sealer, clock=clock, random_bytes=random_bytes, on_refresh=on_refresh
        ),
        metrics=metrics,
        outcomes=Outcomes(metrics),
        access_log=AccessLog(log_lines or LineWriter(sys.stderr), settings.log_format, clock),
        tls=tls,
        mutual_tls=mutual,
    )
    proxy = _proxy(parts)
    metrics.open_exchanges = lambda: len(proxy.exchanges)
    endpoints = route_table(parts)
    renewal = _renewal(parts, proxy, pool)
    metrics.certificate_ends_at = lambda: renewal.certificate_ends_at
    return Gateway(parts, proxy, endpoints, _asgi(parts, proxy, endpoints), renewal)


def _renewal(parts: Parts, proxy: ProxyContext, pool: Any) -> CredentialRenewal:
    async def use(settings: Settings) -> None:
        parts.provider.credentials.renew(settings)
        renew_tls(settings, plain=parts.tls, mutual=parts.mutual_tls)
        if settings.ca_file is not None:
            trust_authorities(parts.store, settings.ca_file)
        # A connection goes on with the certificate it was opened with.
        proxy.pool.renew()
        if isinstance(pool, RenewablePool):
            await pool.renew()

    return CredentialRenewal(parts.settings, clock=parts.clock, use=use)


def route_table(parts: Parts) -> list[Endpoint]:
    """Return the gateway's own endpoints, each with what protects it."""
    login, callback, resume = _login_flow(parts)
    session, logout, backchannel = _session(parts), _logout(parts), _backchannel(parts)
    health = Health(store=parts.store, provider_not_ready=lambda: parts.provider.not_ready, clock=parts.clock)
    navigation, cookie, own_origin = Protection.NAVIGATION, Protection.COOKIE_FROM_OWN_ORIGIN, Protection.OWN_ORIGIN
    settings = parts.settings
    answers = {"GET": callback.complete}
    if settings.response_mode.startswith("form_post") or settings.silent_login == "on":
        answers["POST"] = callback.complete_posted
    silent = [Endpoint(paths.SILENT, "bff.login.silent", navigation, {"GET": login.start_in_frame})]
    signature, public = Protection.PROVIDER_SIGNATURE, Protection.PUBLIC
    return [
        Endpoint(paths.LOGIN, "bff.login", navigation, {"GET": login.start, "POST": login.initiate}),
        *(silent if settings.silent_login == "on" else ()),
        Endpoint(paths.RESUME, "bff.login.resume", navigation, {"GET": resume.resume}),
        Endpoint(paths.CALLBACK, "bff.callback", navigation, answers),
        Endpoint(paths.SESSION, "bff.session", cookie, {"GET": session.show, "POST": session.extend}),
        Endpoint(paths.REFRESH, "bff.session.refresh", cookie, {"POST": session.refresh}),
        Endpoint(paths.LOGOUT, "bff.logout", own_origin, {"POST": logout.end}),
        Endpoint(paths.BACKCHANNEL_LOGOUT, "bff.backchannel_logout", signature, {"POST": backchannel.end}),
        Endpoint(paths.ALIVE, "health.alive", public, {"GET": health.alive, "HEAD": health.alive}),
        Endpoint(paths.READY, "health.ready", public, {"GET": health.ready, "HEAD": health.ready}),
    ]


def _asgi(parts: Parts, proxy: ProxyContext, table: list[Endpoint]) -> ASGIApp:
    settings = parts.settings
    frames = (origin_of(settings.issuer),) if settings.silent_login == "on" else ()
    files: ASGIApp = Placeholder()
    if settings.static_dir is not None:
        files = StaticFiles(read_manifest(settings.static_dir, frames=frames))
    endpoints = Endpoints(
        table,
        fallback=LogoutReturn(files, path=settings.post_logout_path, states=parts.logout_states, clock=parts.clock),
        proxied=[route.prefix for route in settings.routes],
        public_origin=settings.public_url.origin,
        session_cookie=parts.cookies.session_name,
    )
    refused = ErrorAnswers(endpoints, on_refusal=parts.outcomes.refused)
    secured = SecurityHeaders(refused, is_secure=settings.public_url.is_secure, own_prefix=paths.PREFIX)
    return Access(
        secured,
        access_log=parts.access_log,
        observe=parts.metrics.observe,
        new_request_id=proxy.new_request_id,
        timer=time.perf_counter,
        trusted_proxies=settings.trusted_proxies,
    )


def _login_flow(parts: Parts) -> tuple[LoginEndpoint, CallbackEndpoint, ResumeEndpoint]:
    settings, provider, sessions, cookies, clock = (
        parts.settings, parts.provider, parts.sessions, parts.cookies, parts.clock,
    )  # fmt: skip
    pending = PendingLogins(sealer=parts.sealer, cookies=cookies, clock=clock)
    resume = ResumeEndpoint(sessions=sessions, cookies=cookies)
    silent = SilentLogins(
        sessions=sessions,
        cookies=cookies,
        origin=settings.public_url.origin,
        allows_frames=settings.silent_login == "on",
        on_refused=parts.outcomes.refused,
    )
    login = LoginEndpoint(
        provider=provider,
        parameters=LoginParametersReader(
            issuer=settings.issuer,
            origin=settings.public_url.origin,
            allowed=settings.login_params,
            always=settings.authorization_params or (),
            # Any site can begin a login, and a page of ours may end it with a navigation of our own origin.
            calls=settings.routes,
        ),
        pending=pending,
        silent=silent,
        cookies=cookies,
        states=parts.states,
        store_key=sessions.store_key,
        issuer=settings.issuer,
        clock=clock,
        random_bytes=parts.random_bytes,
        binds_tokens=settings.dpop != "off",
        on_login=parts.outcomes.login,
    )
    callback = CallbackEndpoint(
        provider=provider,
        sessions=sessions,
        pending=pending,
        repeated=RepeatedAnswers(parts.sealer),
        resume=resume,
        silent=silent,
        cookies=cookies,
        states=parts.states,
        clock=clock,
        on_login=parts.outcomes.login,
    )
    return login, callback, resume


def _session(parts: Parts) -> SessionEndpoint:
    return SessionEndpoint(
        sessions=parts.sessions,
        tokens=parts.tokens,
        cookies=parts.cookies,
        claims=parts.settings.session_claims,
        clock=parts.clock,
    )


def _logout(parts: Parts) -> LogoutEndpoint:
    return LogoutEndpoint(
        provider=parts.provider,
        sessions=parts.sessions,
        pending=PendingLogins(sealer=parts.sealer, cookies=parts.cookies, clock=parts.clock),
        cookies=parts.cookies,
        post_logout_path=parts.settings.post_logout_path,
        states=parts.logout_states,
        clock=parts.clock,
        random_bytes=parts.random_bytes,
    )


def _backchannel(parts: Parts) -> BackchannelLogoutEndpoint:
    return BackchannelLogoutEndpoint(
        provider=parts.provider,
        sessions=parts.sessions,
        clock=parts.clock,
        on_accepted=parts.outcomes.logged_out_by_provider,
        on_refused=parts.outcomes.refused,
    )


def _proxy(parts: Parts) -> ProxyContext:
    settings = parts.settings
    # Where proofs bind every token to a key, none is bound to the certificate.
    shows_certificate = settings.client_cert is not None and settings.dpop != "require"
    routes = [
        ProxiedRoute.of(route, parts.metrics.meter(route.name), shows_certificate=shows_certificate)
        for route in settings.routes
    ]
    if settings.spa_dev_server is not None:
        routes.append(ProxiedRoute.dev_server(settings.spa_dev_server, parts.metrics.meter("/")))
    return ProxyContext(
        routes=routes,
        sessions=parts.sessions,
        tokens=parts.tokens,
        client_tokens=parts.client_tokens,
        login_params=settings.login_params,
        access_log=parts.access_log,
        on_refusal=parts.outcomes.refused_call,
        on_event=event,
        public_url=settings.public_url,
        session_cookie=parts.cookies.session_name,
        trusted_proxies=settings.trusted_proxies,
        tls=parts.tls,
        mutual_tls=parts.mutual_tls,
        clock=parts.clock,
        proofs=UpstreamProofs(clock=parts.clock, random_bytes=parts.random_bytes),
        request_id_prefix=parts.random_bytes(6).hex(),
    )
