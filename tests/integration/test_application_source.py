"""The single-page application's own checks; they need Node.js and npm."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.application import TIMEOUT, copy_source, find_npm, run_npm

Npm = Callable[..., str]

pytestmark = pytest.mark.timeout(2 * TIMEOUT)


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Npm:
    """Run npm in a copy of the source that has the locked packages; returns what it wrote."""
    program = find_npm()
    copy = copy_source(program, tmp_path_factory.mktemp("application"))

    def run(*arguments: str) -> str:
        answer = run_npm(program, copy, *arguments)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    return run


def test_its_types_hold(npm: Npm) -> None:
    npm("run", "typecheck")


def test_its_unit_tests_pass(npm: Npm) -> None:
    assert "passed" in npm("test")


def test_its_build_in_the_repository_is_what_its_source_builds_to(npm: Npm) -> None:
    assert "dist/ is what its source builds to." in npm("run", "check-build")
