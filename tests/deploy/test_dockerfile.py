"""What the image promises, read off its Dockerfile."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from bff.settings import VARIABLES
from tests.deploy.dockerfile import CHECKOUT, DOCKERFILE, Stage, context_files, final_environment, read_stages
from tests.deploy.documents import tool

STAGES = read_stages()
IMAGES = ("gateway", "gateway-with-page")
CONTEXT = list(context_files())
NAMED_IN_CONTEXT = {part for path in CONTEXT for part in (path, *path.parents)}


def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    found = subprocess.run(
        [tool("hadolint"), "--format", "json", DOCKERFILE], capture_output=True, text=True, check=False
    )
    assert json.loads(found.stdout) == []


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_every_base_is_a_stage_or_pinned_to_a_version(stage: Stage) -> None:
    base = stage.base
    assert base in STAGES or base == "scratch" or re.search(r":[0-9]+(\.[0-9]+)*-[a-z-]*slim[a-z-]*$", base)


def test_the_environment_is_built_and_run_by_the_same_interpreter() -> None:
    assert STAGES["build"].base == STAGES["gateway"].base


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_everything_that_is_copied_exists_and_is_let_into_the_context(stage: Stage) -> None:
    for copy in stage.all("COPY"):
        *sources, _ = copy.rest.split()
        if "from" in copy.flags:
            assert copy.flags["from"] in STAGES
        else:
            assert {Path(source) for source in sources} <= NAMED_IN_CONTEXT


def test_neither_the_demo_nor_what_was_built_here_nor_settings_are_in_the_context() -> None:
    assert not [path for path in CONTEXT if path.parts[:2] == ("bff", "demo")]
    assert not [path for path in CONTEXT if path.parts[:2] == ("static", "dist")]
    assert not [path for path in CONTEXT if path.name.startswith(".env") or path.suffix == ".pyc"]
    assert {path.parts[0] for path in CONTEXT} <= {
        *("LICENSE", "README.md", "bff", "deploy", "pyproject.toml", "requirements.lock", "static")
    }


@pytest.mark.parametrize("name", IMAGES)
def test_it_runs_as_a_user_with_a_number_that_is_not_root(name: str) -> None:
    user = _last(name, "USER")
    assert re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", user)


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("keyword", ["ENTRYPOINT", "CMD", "HEALTHCHECK"])
def test_nothing_that_runs_in_it_needs_a_shell(name: str, keyword: str) -> None:
    arguments = json.loads(_last(name, keyword).removeprefix("CMD "))
    assert arguments
    assert not {Path(argument).name for argument in arguments} & {"sh", "bash", "env", "curl", "wget"}
    assert keyword == "CMD" or Path(arguments[0]).is_absolute()


def test_the_final_stages_run_no_shell_while_they_are_made() -> None:
    assert all(run.exec_form for name in IMAGES for run in STAGES[name].all("RUN"))


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_no_secret_is_an_argument_or_a_variable_of_the_image(stage: Stage) -> None:
    secrets = {variable.name for variable in VARIABLES if variable.secret}
    for instruction in [*stage.all("ENV"), *stage.all("ARG")]:
        assert not any(name in instruction.rest for name in secrets)
        assert not re.search(r"(?i)secret|password|token|key", instruction.rest)


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.name)
def test_packages_are_installed_by_hash_or_from_what_was_built_before(stage: Stage) -> None:
    for run in stage.all("RUN"):
        for command in run.rest.split("&&"):
            if re.search(r"\bpip\b.* install\b", command):
                assert "--require-hashes" in command or re.search(r"--no-deps dist/bff-\S+\.whl$", command.strip())
            if re.search(r"\bnpm\b", command):
                assert re.search(r"npm (ci --ignore-scripts|run build)\b", command)


def test_nothing_is_fetched_past_the_package_managers() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert not re.search(r"(?m)^(ADD|RUN.*\b(curl|wget|git|apt-get|apk)\b)", text)


def test_the_build_backend_is_locked_in_a_version_that_the_package_asks_for() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = (CHECKOUT / "deploy" / "requirements-build.lock").read_text(encoding="utf-8")
    (asked,) = project["build-system"]["requires"]
    name, least = asked.split(">=")
    (locked,) = re.findall(rf"(?m)^{name}==([0-9.]+) ", lock)
    assert [int(part) for part in locked.split(".")] >= [int(part) for part in least.split(".")]
    packages = re.findall(r"(?m)^[a-z]", lock)
    assert len(re.findall(r"(?m)^\S.*(?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+$", lock)) == len(packages)


def test_it_listens_on_all_of_its_own_addresses() -> None:
    assert final_environment("gateway")["BFF_HOST"] == "0.0.0.0"
    assert "BFF_STATIC_DIR" not in final_environment("gateway")


def test_the_image_with_the_page_serves_what_was_copied() -> None:
    (copy,) = STAGES["gateway-with-page"].all("COPY")
    assert copy.flags == {"from": "page"}
    assert copy.rest.split() == ["/", final_environment("gateway-with-page")["BFF_STATIC_DIR"]]


def test_every_variable_of_the_images_is_one_of_the_gateway() -> None:
    named = {name for image in IMAGES for name in final_environment(image) if name.startswith("BFF_")}
    assert named <= {variable.name for variable in VARIABLES}


def _last(name: str, keyword: str) -> str:
    stage = STAGES[name]
    found = stage.all(keyword)
    return found[-1].rest if found else _last(stage.base, keyword)
