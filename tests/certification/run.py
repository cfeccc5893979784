"""Plays plans against the suite, one module at a time, each with a gateway of its own."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from typing import TYPE_CHECKING

import httpx2

from .browser import Browser
from .credentials import Credentials
from .drives import BehaviourError, Stage
from .gateway import Gateway, GatewayError
from .suite import ENDED, Finding, PlannedModule, RunningTest, Suite, SuiteError, trust_in
from .upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .plan import Module, Plan

CLIENT_ID = "bff-certification"
CLIENT_SECRET = "a secret+with/all%that:RFC 6749=makes a client encode"
FINISH_SECONDS = 30
ACCEPTABLE = {"PASSED", "WARNING", "REVIEW", "SKIPPED"}


@dataclasses.dataclass(frozen=True, slots=True)
class Circumstances:
    """What all modules of a run share; `public_url` is where browsers reach the gateway's `port`."""

    public_url: str
    port: int
    ca_file: Path
    work_directory: Path
    command: str | None
    redis_url: str | None
    workers: int
    credentials: Credentials


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one module."""

    plan: Plan
    module: str
    behaviour: str
    status: str
    result: str
    expected: str
    seconds: float
    problem: str | None
    findings: tuple[Finding, ...]
    requests: tuple[str, ...]
    log_url: str
    gateway_log: Path

    @property
    def verdict(self) -> str:
        """`failed`, `unexpected` (no failure, but not the result this table names) or `ok`."""
        if self.problem is not None or self.status != "FINISHED" or self.result not in ACCEPTABLE:
            return "failed"
        return "ok" if self.result == self.expected else "unexpected"


def run_plan(suite: Suite, plan: Plan, circumstances: Circumstances, only: frozenset[str]) -> Iterator[Outcome]:
    """Create the plan and play its modules, or those named in `only`.

    SuiteError when the suite's list of modules and the table differ.
    """
    identifier, planned = suite.create_plan(plan.name, plan.variant, configuration(plan, circumstances))
    unknown = {module.name for module in planned} ^ plan.modules.keys()
    if unknown:
        raise SuiteError(f"the suite and this table differ on the modules of {plan.name}: {sorted(unknown)}")
    for module in planned:
        if not only or module.name in only:
            yield run_module(suite, plan, identifier, module, circumstances)


def configuration(plan: Plan, circumstances: Circumstances) -> dict[str, object]:
    """The plan's configuration: one client, registered with the gateway's addresses."""
    paths = {
        "redirect_uri": "/bff/callback",
        "post_logout_redirect_uri": "/",
        "backchannel_logout_uri": "/bff/backchannel-logout",
        **plan.client,
    }
    client: dict[str, object] = {
        "client_id": CLIENT_ID,
        **{field: circumstances.public_url + path for field, path in paths.items()},
    }
    if plan.scope is not None:
        client["scope"] = plan.scope
    document: dict[str, object] = {"alias": f"bff-{plan.key}", "waitTimeoutSeconds": plan.wait_seconds}
    if plan.is_financial:
        credentials = circumstances.credentials
        client |= {"jwks": credentials.client_jwks, "certificate": credentials.certificate}
        return document | {"client": client, "server": {"jwks": credentials.server_jwks}}
    return document | {"client": client | {"client_secret": CLIENT_SECRET}}


def run_module(
    suite: Suite, plan: Plan, identifier: str, planned: PlannedModule, circumstances: Circumstances
) -> Outcome:
    """Start the test and a gateway for it, play the module, wait for the suite's verdict."""
    module = plan.modules[planned.name]
    gateway_log = circumstances.work_directory / f"{plan.key}-{planned.name}.log"
    started = time.monotonic()
    test = suite.start_test(identifier, planned)
    behaviour, problem = "", None
    try:
        behaviour = _play(test, plan, module, circumstances, gateway_log)
    except (BehaviourError, GatewayError) as error:
        problem = str(error)
    except httpx2.TransportError as error:
        problem = f"no answer: {error!r}"
    status = test.wait_for(ENDED, seconds=FINISH_SECONDS if problem is None else plan.wait_seconds + 1)
    outcome = Outcome(
        plan=plan,
        module=planned.name,
        behaviour=behaviour,
        status=status,
        result=test.result(),
        expected=module.result,
        seconds=time.monotonic() - started,
        problem=problem,
        findings=tuple(test.findings()),
        requests=tuple(test.requests()),
        log_url=test.log_url,
        gateway_log=gateway_log,
    )
    test.cancel()
    return outcome


def _play(test: RunningTest, plan: Plan, module: Module, circumstances: Circumstances, gateway_log: Path) -> str:
    with Upstream() as upstream:
        exposed = test.exposed()
        api = exposed["accounts_endpoint"] if plan.is_financial else upstream.url
        settings = {
            **base_settings(circumstances, exposed["issuer"]),
            "BFF_ROUTES": json.dumps([{"prefix": "/api", "upstream": api, "token": plan.token}]),
            **client_settings(plan, circumstances.credentials),
            **plan.settings,
            **module.settings,
        }
        ca_file = circumstances.ca_file
        with (
            Browser(trust_in(ca_file)) as browser,
            Gateway(circumstances.command, settings, ca_file=ca_file, log_file=gateway_log) as gateway,
        ):
            if module.ready:
                gateway.wait_until_ready()
            behaviour = module.drive(Stage(test, gateway, browser, upstream))
            if not module.stop_first:
                test.wait_for(ENDED, seconds=FINISH_SECONDS)
        return behaviour


def client_settings(plan: Plan, credentials: Credentials) -> dict[str, str]:
    """What the client proves itself with."""
    if not plan.is_financial:
        return {"BFF_CLIENT_SECRET": CLIENT_SECRET}
    settings = {}
    if {"private_key_jwt", "signed_non_repudiation"} & set(plan.variant.values()):
        settings["BFF_CLIENT_KEY_FILE"] = str(credentials.key_file)
    if "mtls" in plan.variant.values():
        settings["BFF_CLIENT_CERT"] = str(credentials.certificate_file)
        settings["BFF_CLIENT_CERT_KEY_FILE"] = str(credentials.certificate_key_file)
    return settings


def base_settings(circumstances: Circumstances, issuer: str) -> dict[str, str]:
    """The gateway's environment, as an operator would write it for this provider."""
    page = circumstances.work_directory / "page"
    page.mkdir(exist_ok=True)
    (page / "index.html").write_text("<!doctype html><title>Certification</title>\n")
    settings = {
        "BFF_PUBLIC_URL": circumstances.public_url,
        "BFF_HOST": "127.0.0.1",
        "BFF_PORT": str(circumstances.port),
        "BFF_ISSUER": issuer,
        "BFF_CLIENT_ID": CLIENT_ID,
        "BFF_CA_FILE": str(circumstances.ca_file),
        "BFF_SECRET_KEYS": secrets.token_urlsafe(48),
        "BFF_STATIC_DIR": str(page),
        "BFF_TRUSTED_PROXIES": "127.0.0.1/32",
        "BFF_LOG_FORMAT": "text",
        "BFF_LOG_LEVEL": "debug",
    }
    if circumstances.redis_url is not None:
        settings["BFF_REDIS_URL"] = circumstances.redis_url
        settings["BFF_WORKERS"] = str(circumstances.workers)
    return settings
