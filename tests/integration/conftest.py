"""What integration tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.leaks import SEEN
from tests.support.stage import Programme, Scene, Stage, set_stage

LAST = "test_nothing_leaks.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks back on all the others comes last."""
    items.sort(key=lambda item: item.path == Path(__file__).with_name(LAST))


@pytest.fixture(scope="session", autouse=True)
def nothing_leaks_until_the_end() -> Iterator[None]:
    """What the gateways of all tests log up to their last line holds no secret."""
    yield
    assert SEEN.leaks() == []


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The provider that can lie, the gateways before it, and the ledger of all they say."""
    with set_stage() as stage:
        yield stage
    assert not stage.server.faults


@pytest.fixture(scope="session")
def programme(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Programme]:
    """Every scene of the tests that were selected, at the same time."""
    functions = [item for item in request.session.items if isinstance(item, pytest.Function)]
    parameters: list[dict[str, Any]] = [item.callspec.params for item in functions if hasattr(item, "callspec")]
    scenes: list[Scene[Any]] = [found["scene"] for found in parameters if "scene" in found]
    programme = Programme(stage, scenes)
    yield programme
    programme.finish()


@pytest.fixture
def told(programme: Programme) -> Callable[[Scene[Any]], Any]:
    """What came of a scene."""
    return programme.told
