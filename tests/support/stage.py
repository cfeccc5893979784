"""Where the lies are told: realms, the API, and the gateways that several lies share."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from tests.certification.upstream import Upstream
from tests.support.deployment import Deployment, deployed
from tests.support.key_sets import set_with_decoys
from tests.support.leaks import SEEN, Ledger
from tests.support.lying_provider import Realm
from tests.support.processes import reserve_port, start_valkey
from tests.support.realm_server import RealmServer
from tests.support.signed_tokens import key_for, public_jwk

Outcome = TypeVar("Outcome")
Told = TypeVar("Told", covariant=True)

AT_ONCE = 24
STARTING_AT_ONCE = 2
# Fewer than the failures in a row after which a gateway leaves its provider alone for a while.
OUTAGES_AT_ONCE = 3

_OPTIONAL = (
    "authorization_response_iss_parameter_supported",
    "backchannel_logout_session_supported",
    "backchannel_logout_supported",
    "code_challenge_methods_supported",
    "end_session_endpoint",
    "revocation_endpoint",
    "userinfo_endpoint",
)


@dataclass(frozen=True)
class Stage:
    """What the scenes of one test run share.

    `main` is the usual deployment: Redis, an issuer with a path, `iss` in responses, decoys among the keys.
    `strict` asks UserInfo at every login and pushes its requests; `plain` has a provider with little more than
    OpenID Connect demands, an issuer that ends in a slash, and algorithms in its metadata that nobody should accept.
    """

    server: RealmServer
    api: Upstream
    ledger: Ledger
    main: Deployment
    strict: Deployment
    plain: Deployment
    metrics_url: str
    outages: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(OUTAGES_AT_ONCE))
    starting: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(STARTING_AT_ONCE))

    @contextmanager
    def alone(self, realm: Realm, **variables: str) -> Iterator[Deployment]:
        """A gateway for one scene alone; it may never become ready."""
        with ExitStack() as stack:
            with self.starting:
                deployment = stack.enter_context(
                    deployed(realm, self.api, self.ledger, ready_path="/healthz", **variables)
                )
            yield deployment


class Scene(Protocol[Told]):
    """One thing that happens on the stage, and what comes of it."""

    def tell(self, stage: Stage) -> Told:
        """Let it happen."""
        ...


class Programme:
    """Scenes that happen at the same time, for many of them wait."""

    def __init__(self, stage: Stage, scenes: Sequence[Scene[Any]]) -> None:
        # A scene that several tests look at happens once.
        unique = {id(scene): scene for scene in scenes}.values()
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._outcomes: dict[int, Future[Any]] = {id(scene): self._pool.submit(scene.tell, stage) for scene in unique}

    def told(self, scene: Scene[Outcome]) -> Outcome:
        """Wait for the scene to end and return what came of it."""
        outcome: Outcome = self._outcomes[id(scene)].result()
        return outcome

    def finish(self) -> None:
        """Wait until the last scene has ended, well or badly."""
        self._pool.shutdown()


@contextmanager
def set_stage() -> Iterator[Stage]:
    """Start what all scenes share."""
    with ExitStack() as stack:
        ledger = SEEN
        server = stack.enter_context(RealmServer(ledger).running())
        api = stack.enter_context(Upstream())
        valkey = stack.enter_context(start_valkey())
        metrics_port = str(reserve_port())
        realms = _main_realm(server), _strict_realm(server), _plain_realm(server)
        variables = (
            {"redis_url": valkey.url, "BFF_METRICS_PORT": metrics_port},
            {"BFF_USERINFO": "on", "BFF_CLIENT_AUTH": "client_secret_post", "BFF_PAR": "require"},
            {"BFF_SCOPES": "openid"},
        )

        def start(realm: Realm, options: dict[str, Any]) -> Deployment:
            return stack.enter_context(deployed(realm, api, ledger, **options))

        with ThreadPoolExecutor(len(realms)) as pool:
            main, strict, plain = pool.map(start, realms, variables)
        yield Stage(server, api, ledger, main, strict, plain, f"http://127.0.0.1:{metrics_port}/metrics")


def _main_realm(server: RealmServer) -> Realm:
    realm = server.realm("/tenants/acme")
    realm.keys = set_with_decoys(realm)
    return realm


def _strict_realm(server: RealmServer) -> Realm:
    realm = server.realm("/tenants/strict")
    realm.metadata = {
        "authorization_endpoint": f"{realm.issuer}/authorize?tenant=a%20b",
        "pushed_authorization_request_endpoint": f"{realm.issuer}/par",
        "x_members": {"nobody": ["knows"]},
        "require_pushed_authorization_requests": True,
    }
    return realm


def _plain_realm(server: RealmServer) -> Realm:
    realm = server.realm("/")
    realm.metadata = {
        **dict.fromkeys(_OPTIONAL, ...),
        "id_token_signing_alg_values_supported": ["none", "HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA", "XY1"],
    }
    realm.keys = [
        public_jwk(realm.key, kid=realm.kid),
        *(public_jwk(key_for(algorithm), kid=algorithm) for algorithm in ("ES256", "ES384", "EdDSA")),
    ]
    return realm
