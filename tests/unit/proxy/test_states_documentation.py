"""The drawing of a call's states against the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from bff.proxy.admission import Admission
from bff.proxy.exchange import Exchange
from bff.proxy.patience import STALL_LIMIT
from bff.proxy.state import State
from bff.stores.redis_reads import LARGEST_FLIGHT
from bff.stores.redis_server import CIRCUIT_PAUSE
from tests.support.markdown import CHECKOUT

PAGE = (CHECKOUT / "docs/proxied-call.md").read_text("utf-8")
DRAWING = PAGE.split("```")[1]
NAMES = {state.name for state in State}


def changes(path: Path) -> set[tuple[str, str]]:
    """Return every method that sets a state, as `Class.method`, with the state it sets."""
    found = set()
    for kind in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ClassDef)):
        for method in (node for node in kind.body if isinstance(node, ast.FunctionDef)):
            for node in ast.walk(method):
                if isinstance(node, ast.Assign) and any(ast.unparse(target) == "self.state" for target in node.targets):
                    found.add((f"{kind.name}.{method.name}", ast.unparse(node.value).rpartition(".")[2]))
    return found


def test_the_drawing_has_every_state_and_no_other() -> None:
    assert set(re.findall(r"│ ([A-Z]+) +│", DRAWING)) == NAMES


def test_the_state_changes_where_the_page_says_and_nowhere_else() -> None:
    said = {(where, to) for where, to in re.findall(r"^\| `(\w+\.\w+)` \| (\w+) \|$", PAGE, re.MULTILINE)}
    assert said == set().union(*(changes(path) for path in (CHECKOUT / "bff/proxy").glob("*.py")))
    assert {to for _, to in said} == NAMES


def test_the_methods_and_limits_the_page_names_are_there() -> None:
    assert all(hasattr(Exchange, name) for name in ("_end", "answer_head", "pause_answer", "resume_answer"))
    assert all(hasattr(Admission, name) for name in ("set_result", "set_exception"))
    assert f"at most {LARGEST_FLIGHT} keys" in PAGE
    assert f"{STALL_LIMIT:.0f} s without progress" in PAGE
    assert CIRCUIT_PAUSE == 0.5, "half a second"
