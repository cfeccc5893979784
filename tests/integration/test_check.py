"""`bff check` as an operator runs it, against a real provider, a real store and a real API."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis

from bff.check import check_environment
from bff.check.check import examine
from bff.check.report import Report
from bff.demo.child import clean_environment
from bff.demo.users import SUPPORTED_SCOPES
from bff.settings import load_settings
from bff.stores.trial import LIFETIME
from tests.support.certificates import authority_certificate, server_context
from tests.support.processes import (
    SECRET_KEYS,
    ProviderServer,
    Server,
    ValkeyRunner,
    registration,
    reserve_port,
    start_provider,
    start_timesheets,
    start_valkey,
)
from tests.support.redis_servers import redis_cluster, redis_sentinels, relay
from tests.support.signed_tokens import key_for

PAGE = Path(__file__).parents[2] / "docs" / "check.md"
METADATA = "/.well-known/openid-configuration"
PUBLIC_URL = "https://app.example.com"


@dataclass(frozen=True)
class Surroundings:
    """All that a gateway needs."""

    provider: ProviderServer
    valkey: ValkeyRunner
    api: Server
    static_dir: Path

    def environment(self, **changes: str | None) -> dict[str, str]:
        """Return the variables of a gateway in these surroundings; None leaves one out."""
        variables: dict[str, str | None] = {
            "BFF_PUBLIC_URL": PUBLIC_URL,
            "BFF_TRUSTED_PROXIES": "10.0.0.0/8",
            "BFF_ISSUER": self.provider.issuer,
            "BFF_CLIENT_ID": self.provider.client_id,
            "BFF_CLIENT_SECRET": self.provider.client_secret,
            "BFF_SCOPES": " ".join(SUPPORTED_SCOPES),
            "BFF_RESOURCE": self.provider.audience,
            "BFF_SECRET_KEYS": SECRET_KEYS,
            "BFF_REDIS_URL": self.valkey.url,
            "BFF_UPSTREAM_URL": self.api.url,
            "BFF_STATIC_DIR": str(self.static_dir),
            **changes,
        }
        return {name: value for name, value in variables.items() if value is not None}

    def run(self, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
        """Run the command; whatever comes of it, no secret is in it."""
        environment = clean_environment(**self.environment(**changes))
        done = subprocess.run(
            [sys.executable, "-m", "bff", "check", *arguments],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stderr == ""
        for secret in (self.provider.client_secret, SECRET_KEYS, "canary"):
            assert secret not in done.stdout
        return done

    def report(self, **changes: str | None) -> dict[str, Any]:
        """Return the JSON report, whose status is the command's."""
        done = self.run("--json", **changes)
        document: dict[str, Any] = json.loads(done.stdout)
        assert document["exit_status"] == done.returncode
        assert document["verdict"] == ("good", "degraded", "unusable")[done.returncode]
        return document

    def findings(self, status: int, **changes: str | None) -> dict[str, dict[str, Any]]:
        """Return what keeps the verdict from good, by identifier, after checking the exit status."""
        document = self.report(**changes)
        assert document["exit_status"] == status, document
        found = [finding for finding in document["findings"] if finding["level"] in ("degraded", "unusable")]
        assert all(finding["variable"].startswith("BFF_") and finding["cure"] for finding in found)
        return {finding["id"]: finding for finding in found}


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    static_dir = tmp_path_factory.mktemp("page")
    (static_dir / "index.html").write_text("<!doctype html><title>Timesheets</title>")
    with (
        start_provider(pushed_requests="on") as provider,
        start_valkey(durable=True) as valkey,
        start_timesheets(provider) as api,
    ):
        provider.control(client=registration(provider.client_id, PUBLIC_URL))
        yield Surroundings(provider, valkey, api, static_dir)


@contextlib.contextmanager
def offering(surroundings: Surroundings, **changes: Any) -> Iterator[None]:
    """Let the provider's metadata differ; a change to `...` leaves a member out."""
    provider = surroundings.provider
    true = httpx2.get(f"{provider.issuer}{METADATA}", trust_env=False).json()
    members = {name: value for name, value in {**true, **changes}.items() if value is not ...}
    provider.disturb(METADATA, status=200, body=json.dumps(members))
    try:
        yield
    finally:
        provider.undisturb(METADATA)


def test_a_configuration_without_fault_is_good(surroundings: Surroundings) -> None:
    document = surroundings.report()
    assert document["exit_status"] == 0
    assert {finding["level"] for finding in document["findings"]} == {"good"}
    assert {finding["id"] for finding in document["findings"]} >= {
        "provider.client", "provider.registration", "provider.keys", "store.sessions", "upstream.reach", "static.files",
    }  # fmt: skip


def test_in_this_process_it_comes_to_the_same(surroundings: Surroundings) -> None:
    reports: list[Report] = []
    assert check_environment(surroundings.environment(), checks={}, show=reports.append) == 0
    assert check_environment({"BFF_PORT": "canary"}, checks={}, show=reports.append) == 2
    good, faulty = reports
    assert good.findings
    assert good.posture
    assert {finding.id for finding in faulty.findings} == {"settings.faults"}
    assert (faulty.register, faulty.posture) == ({}, ())


def test_the_report_has_the_members_that_are_documented(surroundings: Surroundings) -> None:
    document = surroundings.report()
    section = PAGE.read_text(encoding="utf-8").partition("## The JSON report")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([a-z_.\[\]]+)` \|", section, re.MULTILINE)
    members = list(document)
    for name in ("findings", "posture"):
        assert all(item.keys() == document[name][0].keys() for item in document[name])
        position = members.index(name) + 1
        members[position:position] = [f"{name}[].{member}" for member in document[name][0]]
    assert documented == members
    assert document["schema"] == 1
    assert document["register"] == {
        "redirect URI": f"{PUBLIC_URL}/bff/callback",
        "post-logout redirect URI": f"{PUBLIC_URL}/",
        "back-channel logout URI": f"{PUBLIC_URL}/bff/backchannel-logout",
    }


def steady(text: str) -> str:
    """Return a report's text without what differs from run to run."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9000", text)
    text = re.sub(r"[0-9]+(?:\.[0-9])? ms", "1 ms", text)
    return re.sub(r"Valkey [0-9.]+", "Valkey 9", text)


def test_the_example_in_the_documentation_is_what_the_command_prints(surroundings: Surroundings) -> None:
    surroundings.provider.control(pushed_requests="require")
    try:
        printed = surroundings.run(BFF_PAR="off", BFF_CLIENT_SECRET="canary-wrong").stdout
    finally:
        surroundings.provider.control(pushed_requests="on")
    (example,) = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    head, mark, tail = steady(example).partition("  ...\n")
    assert mark
    assert steady(printed).startswith(head)
    assert steady(printed).endswith(tail)


def test_faults_of_the_configuration_are_told_all_at_once(surroundings: Surroundings) -> None:
    changes = {"BFF_ISUER": "canary", "BFF_PUBLIC_URL": "canary", "BFF_PORT": "canary"}
    found = surroundings.report(**changes)
    assert found["exit_status"] == 2
    assert {finding["variable"] for finding in found["findings"]} == set(changes)
    assert found["findings"][0]["cure"] == "Did you mean BFF_ISSUER?"
    assert surroundings.run(**changes).returncode == 2


def test_another_issuer_is_shown_as_the_provider_states_it(surroundings: Surroundings) -> None:
    found = surroundings.findings(2, BFF_ISSUER=f"{surroundings.provider.issuer}/")
    assert set(found) == {"provider.issuer"}
    assert found["provider.issuer"]["variable"] == "BFF_ISSUER"
    assert f"“{surroundings.provider.issuer}”" in found["provider.issuer"]["seen"]


def test_a_provider_that_is_down_is_unusable(surroundings: Surroundings) -> None:
    found = surroundings.findings(2, BFF_ISSUER=f"http://127.0.0.1:{reserve_port()}")
    assert set(found) == {"provider.metadata"}
    assert "nothing listens there" in found["provider.metadata"]["seen"]


def test_a_name_that_does_not_exist_is_told(surroundings: Surroundings) -> None:
    found = surroundings.findings(2, BFF_ISSUER="https://provider.invalid", BFF_UPSTREAM_URL="https://api.invalid")
    assert set(found) == {"provider.metadata", "upstream.reach"}
    for finding in found.values():
        assert "name that cannot be resolved" in finding["seen"]


def test_a_wrong_secret_is_unusable(surroundings: Surroundings) -> None:
    found = surroundings.findings(2, BFF_CLIENT_SECRET="canary-wrong")
    assert set(found) == {"provider.client", "provider.registration"}
    assert {finding["variable"] for finding in found.values()} == {"BFF_CLIENT_SECRET"}


def test_a_redirect_uri_that_is_not_registered_is_unusable(surroundings: Surroundings) -> None:
    found = surroundings.findings(2, BFF_PUBLIC_URL="https://other.example.com")
    assert set(found) == {"provider.registration"}
    assert found["provider.registration"]["variable"] == "BFF_PUBLIC_URL"
    assert "https://other.example.com/bff/callback" in found["provider.registration"]["cure"]


def test_pushed_requests_that_are_required_but_off_are_unusable(surroundings: Surroundings) -> None:
    surroundings.provider.control(pushed_requests="require")
    try:
        found = surroundings.findings(2, BFF_PAR="off")
        assert surroundings.findings(0) == {}
    finally:
        surroundings.provider.control(pushed_requests="on")
    assert set(found) == {"provider.pushed_requests"}
    assert found["provider.pushed_requests"]["cure"] == "Set BFF_PAR=auto"


def test_a_private_key_is_tried_as_well(surroundings: Surroundings) -> None:
    key = key_for("ES256")
    surroundings.provider.control(
        client={"client_id": "with-key", "jwks": {"keys": [key.as_dict(private=False)]}}
        | {"redirect_uris": [f"{PUBLIC_URL}/bff/callback"]}
    )
    settings = {"BFF_CLIENT_ID": "with-key", "BFF_CLIENT_AUTH": "private_key_jwt", "BFF_CLIENT_SECRET": None}
    document = surroundings.report(**settings, BFF_CLIENT_KEY=key.as_pem(private=True).decode())
    assert document["exit_status"] == 0
    assert {row["id"]: row["standing"] for row in document["posture"]}["BCP-17"] == "met"
    other = key_for("Ed25519").as_pem(private=True).decode()
    found = surroundings.findings(2, **settings, BFF_CLIENT_KEY=other)
    assert set(found) == {"provider.client", "provider.registration"}
    assert found["provider.client"]["variable"] == "BFF_CLIENT_KEY"


@pytest.mark.parametrize(
    "changes,status,found,variable",
    [
        ({"end_session_endpoint": ...}, 1, "provider.end_session", "BFF_ISSUER"),
        ({"revocation_endpoint": ...}, 1, "provider.revocation", "BFF_ISSUER"),
        ({"scopes_supported": ["openid"]}, 1, "provider.offline_access", "BFF_SCOPES"),
        (
            *({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, 1),
            *("provider.client_authentication", "BFF_CLIENT_AUTH"),
        ),
        ({"code_challenge_methods_supported": ["plain"]}, 2, "provider.pkce", "BFF_ISSUER"),
        ({"id_token_signing_alg_values_supported": ["HS256"]}, 2, "provider.algorithms", "BFF_ISSUER"),
        ({"id_token_signing_alg_values_supported": ["ES512"]}, 2, "provider.keys", "BFF_ISSUER"),
        ({"token_endpoint": ...}, 2, "provider.metadata", "BFF_ISSUER"),
        ({"revocation_endpoint": "http://127.0.0.2:9/revoke"}, 1, "provider.endpoints", "BFF_ISSUER"),
    ],
)  # fmt: skip
def test_what_the_provider_does_not_offer_is_told(
    surroundings: Surroundings, changes: dict[str, Any], status: int, found: str, variable: str
) -> None:
    with offering(surroundings, **changes):
        findings = surroundings.findings(status)
    assert set(findings) == {found}
    assert findings[found]["variable"] == variable


def test_an_algorithm_that_the_provider_does_not_sign_with_is_unusable(surroundings: Surroundings) -> None:
    found = surroundings.findings(2, BFF_ID_TOKEN_ALG="ES256")
    assert set(found) == {"provider.algorithms", "provider.keys"}
    assert {finding["variable"] for finding in found.values()} == {"BFF_ID_TOKEN_ALG"}
    assert "id_token_signed_response_alg" in found["provider.algorithms"]["cure"]
    assert surroundings.findings(0, BFF_ID_TOKEN_ALG="RS256") == {}


def test_a_method_that_is_neither_listed_nor_accepted_is_unusable(surroundings: Surroundings) -> None:
    with offering(surroundings, token_endpoint_auth_methods_supported=["private_key_jwt"]):
        found = surroundings.findings(2, BFF_CLIENT_SECRET="canary-wrong", BFF_PAR="off")
    assert set(found) == {"provider.client_authentication", "provider.client"}
    assert found["provider.client_authentication"]["cure"] == "Set BFF_CLIENT_AUTH=private_key_jwt"


def test_a_store_that_is_down_is_unusable(surroundings: Surroundings) -> None:
    found = surroundings.findings(2, BFF_REDIS_URL=f"redis://:canary@127.0.0.1:{reserve_port()}")
    assert set(found) == {"store.reach"}
    assert found["store.reach"]["variable"] == "BFF_REDIS_URL"


def test_a_store_that_hangs_is_unusable(surroundings: Surroundings) -> None:
    with start_valkey() as valkey:
        valkey.pause()
        found = surroundings.findings(2, BFF_REDIS_URL=valkey.url)
        valkey.resume()
    assert "store.timeout" in found["store.reach"]["seen"]


def test_a_store_that_forgets_when_full_is_degraded(surroundings: Surroundings) -> None:
    with start_valkey(maxmemory="100mb") as valkey, redis.Redis(port=valkey.port) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        found = surroundings.findings(1, BFF_REDIS_URL=valkey.url)
    assert set(found) == {"store.eviction"}
    assert "noeviction" in found["store.eviction"]["cure"]


def test_a_store_that_is_full_or_a_replica_is_unusable(surroundings: Surroundings) -> None:
    with start_valkey() as valkey, redis.Redis(port=valkey.port) as client:
        client.config_set("maxmemory", "1")
        assert "store.oom" in surroundings.findings(2, BFF_REDIS_URL=valkey.url)["store.sessions"]["seen"]
        client.config_set("maxmemory", "0")
        client.replicaof("127.0.0.1", surroundings.valkey.port)
        found = surroundings.findings(2, BFF_REDIS_URL=valkey.url)
    assert "replica" in found["store.sessions"]["seen"]


def documented_rule() -> str:
    (rule,) = re.findall(r"^ACL SETUSER bff .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return str(rule)


def test_the_documented_rights_are_enough_for_everything_and_one_less_is_told(surroundings: Surroundings) -> None:
    with start_valkey() as valkey, redis.Redis(port=valkey.port) as client:
        client.execute_command(*documented_rule().replace("<password>", "canary").split())
        url = f"redis://bff:canary@127.0.0.1:{valkey.port}"
        assert surroundings.findings(0, BFF_REDIS_URL=url) == {}
        client.execute_command("ACL", "SETUSER", "bff", "-info", "-time", "-config|get")
        document = surroundings.report(BFF_REDIS_URL=url)
        for right in ("-publish", "-subscribe"):
            client.execute_command("ACL", "SETUSER", "bff", right)
            unheard = surroundings.findings(1, BFF_REDIS_URL=url)
            assert set(unheard) == {"store.endings"}
            client.execute_command("ACL", "SETUSER", "bff", right.replace("-", "+"))
        client.execute_command("ACL", "SETUSER", "bff", "-zrangebyscore")
        found = surroundings.findings(2, BFF_REDIS_URL=url)
        client.execute_command("ACL", "SETUSER", "bff", ">other", "<canary")
        refused = surroundings.findings(2, BFF_REDIS_URL=url)
    notes = {finding["id"] for finding in document["findings"] if finding["level"] == "note"}
    assert document["exit_status"] == 0
    assert {"store.server", "store.eviction", "store.persistence"} <= notes
    assert "“end all sessions of a user” (store.noperm)" in found["store.sessions"]["seen"]
    assert "refuses user or password" in refused["store.reach"]["seen"]


def test_a_cluster_and_sentinels_are_examined_with_the_documented_rights(surroundings: Surroundings) -> None:
    rule = documented_rule().replace("<password>", "canary").split()
    with redis_cluster() as nodes:
        for node in nodes:
            node.ask(*rule)
        cluster = surroundings.report(BFF_REDIS_URL=f"redis+cluster://bff:canary@127.0.0.1:{nodes[0].port}")
    with redis_sentinels(sentinels=1) as ((master, _), (watcher,)):
        master.ask(*rule)
        sentinel = surroundings.report(BFF_REDIS_URL=f"redis+sentinel://bff:canary@127.0.0.1:{watcher.port}/main")
    for document, topology in ((cluster, "store.cluster"), (sentinel, "store.sentinels")):
        levels = {finding["id"]: finding["level"] for finding in document["findings"]}
        assert levels[topology] == levels["store.sessions"] == "good", document
        assert document["exit_status"] == 0
    assert len([finding for finding in cluster["findings"] if finding["id"] == "store.reach"]) == 3


def test_what_is_tried_in_the_store_is_gone_soon(surroundings: Surroundings) -> None:
    with start_valkey() as valkey, redis.Redis(port=valkey.port) as client:
        assert surroundings.findings(0, BFF_REDIS_URL=valkey.url) == {}
        left = list(client.scan_iter())
        assert left
        assert all(0 < client.pttl(key) <= LIFETIME * 1000 for key in left)


def test_an_upstream_that_is_down_is_degraded(surroundings: Surroundings) -> None:
    found = surroundings.findings(1, BFF_UPSTREAM_URL=f"http://127.0.0.1:{reserve_port()}")
    assert set(found) == {"upstream.reach"}
    assert found["upstream.reach"]["variable"] == "BFF_UPSTREAM_URL"


def test_an_authority_nobody_knows_is_told_and_its_file_is_the_cure(surroundings: Surroundings, tmp_path: Path) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_bytes(authority_certificate())
    with relay(("127.0.0.1", surroundings.api.port), tls=server_context(tmp_path)) as front:
        url = f"https://127.0.0.1:{front.port}"
        found = surroundings.findings(1, BFF_UPSTREAM_URL=url)
        assert surroundings.findings(0, BFF_UPSTREAM_URL=url, BFF_CA_FILE=str(authority)) == {}
        provider = surroundings.findings(2, BFF_ISSUER=url)
    assert set(found) == {"upstream.certificate"}
    assert found["upstream.certificate"]["variable"] == "BFF_CA_FILE"
    assert "certificate" in provider["provider.metadata"]["seen"]
    assert provider["provider.metadata"]["variable"] == "BFF_CA_FILE"


def test_sessions_in_memory_behind_https_are_degraded(surroundings: Surroundings) -> None:
    assert set(surroundings.findings(1, BFF_REDIS_URL=None)) == {"store.memory"}


async def test_nothing_waits_for_ever(surroundings: Surroundings) -> None:
    settings = load_settings(surroundings.environment())
    surroundings.provider.disturb("/jwks", hold=True)
    surroundings.valkey.pause()
    try:
        report = await examine(settings, limit=0.3)
    finally:
        surroundings.valkey.resume()
        surroundings.provider.undisturb("/jwks")
    assert report.exit_status == 2
    found = {finding.id for finding in report.findings}
    assert {"provider.metadata", "provider.unfinished", "store.unfinished", "upstream.reach"} <= found


@pytest.mark.parametrize("no_color,is_coloured", [("", True), ("1", False)])
def test_colour_is_for_terminals_that_want_it(surroundings: Surroundings, no_color: str, is_coloured: bool) -> None:
    environment = clean_environment(**surroundings.environment(BFF_PORT="canary"), NO_COLOR=no_color)
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-m", "bff", "check"], env=environment, stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        written = bytearray()
        # A terminal whose last writer is gone is read to an error.
        with contextlib.suppress(OSError):
            while data := os.read(ours, 65536):
                written += data
        os.close(ours)
    assert run.returncode == 2
    assert (b"\x1b[" in written) is is_coloured
    assert b"UNUSABLE" in written


def test_an_upstream_gets_a_connection_and_not_one_byte(surroundings: Surroundings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        assert surroundings.findings(0, BFF_UPSTREAM_URL=f"http://127.0.0.1:{listener.getsockname()[1]}") == {}
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1) == b""
