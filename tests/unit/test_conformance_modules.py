"""Every module of the certification plans has a test of its own name that runs with all others."""

from __future__ import annotations

from pathlib import Path

from tests.certification.plans import PLANS

CONFORMANCE = Path(__file__).parents[1] / "conformance"


def test_there_is_a_file_for_every_module_and_no_other() -> None:
    modules = {module for plan in PLANS for module in plan.modules}
    files = {path.stem for path in CONFORMANCE.glob("test_*.py")}
    assert files == {f"test_{module.replace('-', '_')}" for module in modules}
