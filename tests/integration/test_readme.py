"""The README's commands and its JavaScript, word for word; only addresses and files are those of this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bff.demo.check import Visitor
from bff.demo.child import clean_environment
from bff.demo.stack import APPLICATION
from bff.settings import load_settings
from tests.support.left_out import leave_out
from tests.support.markdown import CHECKOUT, Block, page
from tests.support.processes import (
    GatewayServer,
    ProviderServer,
    Server,
    registration,
    reserve_port,
    start_gateway,
    start_provider,
    start_timesheets,
    start_valkey,
)
from tests.support.provider_guides import read_environment
from tests.support.sign_in import SAME_ORIGIN, sign_in

COMMANDS = Path(sys.executable).parent
KEYCLOAK = "deploy/keycloak/README.md"

# What a browser gives a page, for Node.js: its origin, its cookie, its Fetch Metadata, and `location`.
SURROUNDINGS = """
const toGateway = fetch;
globalThis.location = { pathname: "/sheets/7", href: "%(origin)s/sheets/7" };
globalThis.fetch = (path, options = {}) =>
  toGateway("%(origin)s" + path, { ...options, headers: { ...options.headers, ...%(fields)s } });
"""
REPORT = """
const statusBefore = (await fetch("/api/timesheets")).status;
const before = location.href;
await logOut();
const statusAfter = (await fetch("/api/timesheets")).status;
console.log(JSON.stringify({ session, timesheets, before, after: location.href, statusBefore, statusAfter }));
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with start_provider() as server:
        yield server


@pytest.fixture(scope="module")
def api(provider: ProviderServer) -> Iterator[Server]:
    with start_timesheets(provider) as server:
        yield server


@pytest.fixture(scope="module")
def gateway(provider: ProviderServer, api: Server) -> Iterator[GatewayServer]:
    with start_gateway(provider, api.url, None) as server:
        yield server


def block_of(name: str, text: str) -> Block:
    (block,) = (block for block in page(name).blocks if text in block.text)
    return block


def environment(**variables: str) -> dict[str, str]:
    """A shell that finds the commands as it does once they are installed."""
    return clean_environment(**variables) | {"PATH": f"{COMMANDS}:{os.environ['PATH']}"}


def shell(script: str, directory: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-eu", "-c", script], cwd=directory, env=dict(variables), capture_output=True, text=True, check=False
    )


def test_the_readmes_own_provider_works_word_for_word(provider: ProviderServer, api: Server, tmp_path: Path) -> None:
    port = reserve_port()
    public_url = f"http://127.0.0.1:{port}"
    provider.control(client=registration(provider.client_id, public_url))
    (tmp_path / "client").write_text(f"{provider.client_secret}\n")
    script = block_of("README.md", "bff serve").text
    (keygen,) = re.findall(r"# (bff keygen > .+)", script)
    with start_valkey() as valkey:
        here = {
            "https://app.example.com": public_url,
            "https://login.example.com/realms/acme": provider.issuer,
            "BFF_CLIENT_ID=app\n": f"BFF_CLIENT_ID={provider.client_id}\n",
            "orders:read": "read:timesheets",
            "/run/secrets": str(tmp_path),
            "rediss://redis:6379/0": f"{valkey.url}/0",
            "https://api.internal/v1": api.url,
            "/srv/app": str(APPLICATION),
        }
        script = f"{keygen}\n{script}"
        for example, real in here.items():
            assert example in script
            script = script.replace(example, real)
        checks, serves = script.split("bff serve")
        # What the README leaves to the provider's guide, and a port that is free.
        rest = environment(BFF_RESOURCE=provider.audience, BFF_PORT=str(port))
        checked = shell(checks, tmp_path, rest)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "\ngood: " in checked.stdout
        log = tmp_path / "gateway.log"
        with log.open("wb") as output:
            setting = checks.replace("\nbff check", "\n: bff check").replace("bff keygen", ": bff keygen", 1)
            setting = re.sub(r"(?m)^: bff keygen.*$", "", setting)
            process = subprocess.Popen(
                ["sh", "-eu", "-c", f"{setting}exec bff serve{serves}"],
                cwd=tmp_path, env=rest, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            wait_until_ready(f"{public_url}/readyz", process, log)
            with httpx2.Client(trust_env=False, base_url=public_url) as browser:
                assert browser.get("/bff/session").json() == {"authenticated": False, "login_url": "/bff/login"}
                assert browser.get("/api/timesheets", headers=SAME_ORIGIN).json()["code"] == "no_session"
                assert "<title>Timesheets</title>" in browser.get("/", headers={"Accept": "text/html"}).text
            visitor = Visitor(public_url)
            visitor.navigate("/bff/login?login_hint=alice&return_to=/")
            assert visitor.call("GET", "/bff/session").json()["claims"]["name"] == "Alice Archer"
            assert visitor.call("GET", "/api/timesheets").json()["timesheets"]
            assert visitor.call("POST", "/bff/logout").json()["logout_url"].startswith(f"{provider.issuer}/logout?")
            visitor.close()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def wait_until_ready(url: str, process: subprocess.Popen[Any], log: Path) -> None:
    while process.poll() is None:
        try:
            if httpx2.get(url, trust_env=False).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(log.read_text())


async def test_the_readmes_javascript_reads_the_session_calls_the_api_and_logs_out(
    gateway: GatewayServer, provider: ProviderServer
) -> None:
    client = await sign_in(gateway, "alice")
    (cookie,) = (f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar if cookie.name == "bff")
    await client.aclose()
    seen = run_javascript(gateway, {**SAME_ORIGIN, "Cookie": cookie})
    assert seen["session"]["authenticated"] is True
    assert seen["session"]["claims"]["name"] == "Alice Archer"
    assert len(seen["timesheets"]) > 0
    assert seen["before"] == f"{gateway.public_url}/sheets/7"
    assert seen["after"].startswith(f"{provider.issuer}/")
    assert (seen["statusBefore"], seen["statusAfter"]) == (200, 401)


def test_the_readmes_javascript_sends_nobody_to_the_login_and_back_to_the_same_place(gateway: GatewayServer) -> None:
    seen = run_javascript(gateway, SAME_ORIGIN)
    assert seen["session"]["authenticated"] is False
    assert seen["before"] == "/bff/login?return_to=%2Fsheets%2F7"
    assert seen["timesheets"]["code"] == "no_session"
    location = httpx2.get(
        gateway.url + seen["before"], headers={"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    ).headers["location"]
    assert "redirect_uri" in location


def test_the_error_that_is_shown_is_a_real_one(gateway: GatewayServer) -> None:
    *_, example = (json.loads(block.text) for block in page("docs/endpoints.md").blocks if block.language == "json")
    answer = httpx2.get(f"{gateway.url}/api/timesheets", headers={**SAME_ORIGIN, "Cookie": f"bff={'A' * 43}"})
    real = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (example["status"], "application/problem+json")
    assert len(real["request_id"]) == len(example["request_id"])
    assert {**real, "request_id": ""} == {**example, "request_id": ""}


def run_javascript(gateway: GatewayServer, fields: Mapping[str, str]) -> Any:
    """Run the README's script as a page's and return what it has seen."""
    node = shutil.which("node")
    if node is None:
        leave_out("The README's JavaScript needs Node.js.")
    (block,) = (block for block in page("README.md").blocks if block.language == "js")
    surroundings = SURROUNDINGS % {"origin": gateway.url, "fields": json.dumps(dict(fields))}
    done = subprocess.run(
        [node, "--input-type=module", "-e", f"{surroundings}{block.text}{REPORT}"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_apis_own_command_is_one_that_it_takes(provider: ProviderServer) -> None:
    line = block_of(KEYCLOAK, "bff.demo.timesheets").text.strip()
    assert line.startswith(".venv/bin/python -m bff.demo.timesheets --issuer ")
    port = reserve_port()
    command = line.removeprefix(".venv/bin/").split()
    command[0] = sys.executable
    command[command.index("--issuer") + 1] = provider.issuer
    with subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            while process.poll() is None:
                try:
                    assert httpx2.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
                    break
                except httpx2.HTTPError:
                    time.sleep(0.05)
            assert process.poll() is None
        finally:
            process.terminate()


def test_keycloaks_environment_is_read_by_the_shell(tmp_path: Path) -> None:
    script = block_of(KEYCLOAK, "gateway.env").text.replace(".venv/bin/bff serve", "env")
    assert script.endswith("\nenv\n")
    done = shell(script, CHECKOUT, environment())
    read = {name: value for name, _, value in (line.partition("=") for line in done.stdout.splitlines())}
    wanted = read_environment(CHECKOUT / "deploy" / "keycloak" / "gateway.env")
    assert {name: value for name, value in read.items() if name.startswith("BFF_")} == wanted
    assert load_settings(read).routes
