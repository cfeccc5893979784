"""Modules of the certification plans, each played with every relying party whose plan has it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.certification.plan import Module, Plan
from tests.certification.plans import PLANS
from tests.support.deployment import Deployment
from tests.support.relying_parties import RelyingParties


def file_name(module: str) -> str:
    """The file a module of the suite is tested in."""
    return f"test_{module.replace('-', '_')}.py"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The plans that have the module this file is named after."""
    if "plan" not in metafunc.fixturenames:
        return
    name = Path(str(metafunc.module.__file__)).name
    plans = [plan for plan in PLANS if any(file_name(module) == name for module in plan.modules)]
    starts_its_own = "relying_parties" in inspect.signature(metafunc.function).parameters
    likeness = _kind if starts_its_own else _settings
    unlike = {likeness(plan): plan for plan in reversed(plans)}
    metafunc.parametrize("plan", list(unlike.values())[::-1], ids=lambda plan: plan.key, scope="session")


def _settings(plan: Plan) -> tuple[object, ...]:
    """Plans that differ neither in settings nor in what is called are the same to a gateway."""
    return *sorted(plan.settings.items()), plan.token


def _kind(plan: Plan) -> tuple[object, ...]:
    """What a gateway that is started for one module tells as well with one client authentication as with another."""
    names = ("fapi_client_type", "fapi_profile", "fapi_response_mode")
    return plan.settings.get("BFF_RESPONSE_MODE"), *(plan.variant.get(name) for name in names)


@pytest.fixture(scope="session")
def relying_parties(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelyingParties]:
    """Every gateway of this directory, started when it is first needed."""
    with ExitStack() as stack:
        parties = RelyingParties(tmp_path_factory.mktemp("relying-parties"), stack)
        yield parties
    assert parties.faults == []
    assert parties.ledger.leaks() == []


@pytest.fixture
def relying_party(plan: Plan, relying_parties: RelyingParties) -> Deployment:
    """The gateway with the settings of the plan."""
    return relying_parties.of(plan)


@pytest.fixture
def module(plan: Plan, request: pytest.FixtureRequest) -> Module:
    """The module as the plan has it."""
    (found,) = [module for name, module in plan.modules.items() if file_name(name) == request.path.name]
    return found
