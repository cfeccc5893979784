"""Metadata and keys that lie one after the other to one gateway, which must believe none and need no restart after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.certification.browser import Visit
from tests.support.certificates import authority_certificate, server_context
from tests.support.deployment import Deployment, WatchedBrowser, login_path
from tests.support.lies import Answer, Bend, Changes
from tests.support.login_lies import Accepted, accepted, eventually
from tests.support.lying_provider import Realm
from tests.support.realm_server import RealmServer
from tests.support.signed_tokens import rsa_key
from tests.support.stage import Stage

METADATA, KEYS = "/.well-known/openid-configuration", "/jwks"
NEXT_ATTEMPT = 30.0
"""Seconds within which a gateway asks again for a document that it has refused."""


@dataclass(frozen=True)
class DocumentLie:
    """A document that no login may be based on.

    `changes` are to the metadata's members, `issuer` makes another issuer of the true one, `answer` is sent instead.
    """

    rule: str
    reason: str
    changes: Changes = field(default_factory=dict)
    answer: Answer | None = None
    issuer: Callable[[str], str] = str

    def __str__(self) -> str:
        return self.rule


@dataclass(frozen=True, kw_only=True)
class Disbelieved:
    """What the gateway made of the lie: its readiness, and a login in spite of it."""

    ready_status: int
    reasons: dict[str, str]
    login: Visit
    requests: int


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What became of each lie by its rule, and of an honest login after the last.

    `begins` if the gateway sent the browser to the provider, or went on from the callback, as soon as it could.
    """

    disbelieved: dict[str, Disbelieved]
    begins: bool
    after: Accepted | None


@dataclass(frozen=True)
class MetadataScene:
    """Lies in the metadata of one realm; over TLS if `is_secure`, where no endpoint may be without."""

    name: str
    lies: Sequence[DocumentLie]
    is_secure: bool = False

    def __str__(self) -> str:
        return self.name

    def tell(self, stage: Stage) -> Chain:
        """Start a gateway, tell it all the lies, then the truth."""
        if not self.is_secure:
            return self._told(stage, stage.server.realm(f"/{self.name}"))
        with TemporaryDirectory() as directory:
            ca_file = Path(directory) / "ca.pem"
            ca_file.write_bytes(authority_certificate())
            server = RealmServer(stage.ledger, server_context(Path(directory)))
            with server.running():
                return self._told(stage, server.realm(f"/{self.name}"), BFF_CA_FILE=str(ca_file))

    def _told(self, stage: Stage, realm: Realm, **variables: str) -> Chain:
        disbelieved = {}
        _lie(realm, self.lies[0])
        with stage.alone(realm, **variables) as deployment, deployment.browser() as browser:
            for lie in self.lies:
                _lie(realm, lie)
                disbelieved[lie.rule] = _disbelieved(deployment, browser, METADATA)
            realm.metadata, realm.metadata_answer = {}, None
            begins = eventually(lambda: _begins(browser, self.name), within=NEXT_ATTEMPT, every=0.2)
            after = None
            if begins and not self.is_secure:
                after = accepted(deployment, deployment.log_in(self.name, browser), self.name)
            return Chain(disbelieved=disbelieved, begins=begins, after=after)


@dataclass(frozen=True)
class KeysScene:
    """Lies instead of the key set, told to somebody who waits at the callback for it to come right."""

    name: str
    lies: Sequence[DocumentLie]

    def __str__(self) -> str:
        return self.name

    def tell(self, stage: Stage) -> Chain:
        """Start a gateway, tell it all the lies, then the truth, and reload the page."""
        realm = stage.server.realm(f"/{self.name}")
        disbelieved = {}
        realm.keys_answer = self.lies[0].answer
        with stage.alone(realm) as deployment, deployment.browser() as browser:
            for lie in self.lies:
                realm.keys_answer = lie.answer
                disbelieved[lie.rule] = _disbelieved(deployment, browser, KEYS)
            waiting = deployment.log_in(self.name, browser)
            url = waiting.callback.url
            realm.keys_answer = None

            def has_gone_on() -> bool:
                waiting.visits[:] = browser.open(url)
                return waiting.callback.status == 303

            begins = eventually(has_gone_on, within=NEXT_ATTEMPT, every=0.2)
            return Chain(disbelieved=disbelieved, begins=begins, after=accepted(deployment, waiting, self.name))


@dataclass(frozen=True)
class RotationScene:
    """One gateway through the life of a provider's keys."""

    name: str = "rotation"

    def __str__(self) -> str:
        return self.name

    def tell(self, stage: Stage) -> dict[str, Any]:
        """Log in at each step; return the answers at the callback and how often keys were fetched."""
        realm = stage.server.realm(f"/{self.name}")
        realm.keys = []
        answers: dict[str, Any] = {}

        def step(rule: str, number: int, kid: str, *, published: bool) -> None:
            realm.key, realm.kid = rsa_key(number), kid
            if published:
                realm.keys = None
            with deployment.browser() as browser:
                answer = deployment.log_in(rule, browser).callback
                answers[rule] = (answer.status, deployment.refusal(answer), browser.session()["authenticated"])

        with stage.alone(realm) as deployment, deployment.browser() as probe:
            eventually(lambda: _ready(probe).status == 200)
            step("no key is published", 0, "first", published=False)
            step("the first key is published", 0, "first", published=True)
            step("a new key signs", 1, "second", published=True)
            step("a new key signs under the kid of the old one", 2, "second", published=True)
            fetched = realm.calls[KEYS]
            step("the same key signs", 2, "second", published=True)
            answers["no fetch for a key that is known"] = realm.calls[KEYS] == fetched
            realm.keys = [rsa_key(2).as_dict(private=False) | {"kid": "second"}]
            step("a key that was withdrawn signs", 0, "first", published=False)
        return answers


def _lie(realm: Realm, lie: DocumentLie) -> None:
    realm.metadata = {"issuer": lie.issuer(realm.issuer), **lie.changes}
    realm.metadata_answer = lie.answer


def _disbelieved(deployment: Deployment, browser: WatchedBrowser, document: str) -> Disbelieved:
    """Try to log in until the gateway has seen the document as it is now, and then once more."""
    realm, name = deployment.realm, "believer"
    realm.bends[name] = Bend()
    seen = realm.calls[document]

    def has_asked_again() -> bool:
        deployment.log_in(name, browser)
        return realm.calls[document] > seen

    assert eventually(has_asked_again, within=NEXT_ATTEMPT, every=0.2), f"{document} was not fetched again"
    login = deployment.log_in(name, browser).visits[-1]
    ready = _ready(browser)
    return Disbelieved(
        ready_status=ready.status, reasons=ready.json().get("reasons", {}), login=login, requests=realm.calls["/token"]
    )


def _begins(browser: WatchedBrowser, name: str) -> bool:
    return browser.follow(login_path(name), stay_on=browser.origin)[0].status == 302


def _ready(browser: WatchedBrowser) -> Visit:
    return browser.fetch("/readyz")
