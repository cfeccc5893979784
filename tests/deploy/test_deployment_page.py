"""What the page on deployment says to type fits the files that it is about."""

from __future__ import annotations

import re

import pytest

from tests.deploy.dockerfile import CHECKOUT, DOCKERFILE, read_stages
from tests.deploy.documents import DEPLOY, KUBERNETES, LONGEST_STOP, variables

PAGE = (CHECKOUT / "docs" / "deployment.md").read_text(encoding="utf-8")


def test_every_target_that_is_named_is_a_stage() -> None:
    named = set(re.findall(r"--target (\S+)", PAGE + DOCKERFILE.read_text(encoding="utf-8")))
    assert named == {"gateway", "gateway-with-page"}
    assert named <= read_stages().keys()


@pytest.mark.parametrize("page", ["docs/deployment.md", "deploy/README.md"])
def test_every_link_leads_somewhere(page: str) -> None:
    path = CHECKOUT / page
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert links
    assert not [link for link in links if not (path.parent / link).exists()]


def test_the_secret_that_is_made_has_what_the_gateway_reads() -> None:
    (command,) = re.findall(r"create secret generic bff (.*)", PAGE)
    made = set(re.findall(r"--from-file=(\S+)", command))
    settings = variables(KUBERNETES / "base" / "gateway.env")
    assert {value.rpartition("/")[2] for name, value in settings.items() if name.endswith("_FILE")} == made
    assert "store-password" in PAGE


def test_every_path_of_the_repository_that_is_named_exists() -> None:
    for path in re.findall(r"\bdeploy/[\w./-]*\w", PAGE):
        assert (CHECKOUT / path).exists(), path
    for path in re.findall(r"`((?:components|overlays)/[\w-]+)`", PAGE):
        assert (KUBERNETES / path).is_dir(), path


def test_the_time_that_a_stop_may_take_is_the_one_the_operators_are_told() -> None:
    operations = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    (seconds,) = re.findall(r"Give it (\d+) before it is killed", operations)
    assert f"it has {seconds}" in PAGE
    assert int(seconds) >= LONGEST_STOP
    assert f"stop_grace_period: {seconds}s" in (DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8")
    assert f"TimeoutStopSec={seconds}s" in (DEPLOY / "systemd" / "bff.service").read_text(encoding="utf-8")
