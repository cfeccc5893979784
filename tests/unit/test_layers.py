"""The layers of `docs/architecture.md`, held by walking the syntax trees: each file imports only what lies below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "bff"

LAYERS: list[set[str]] = [
    {"errors", "settings", "telemetry", "logs", "flights"},
    {"oauth", "session", "http"},
    {"provider", "stores", "logins_under_way", "renewal"},
    {"sessions"},
    {"tokens"},
    {"endpoints", "proxy", "middleware", "static_files", "asgi"},
    {"app", "gateway", "server", "check", "__main__"},
]
"""From the bottom up; rooms of one layer do not import each other."""

SHARED_WITHIN_A_LAYER = {
    ("settings", "errors"),
    ("telemetry", "settings"),
    ("logs", "settings"),
    ("logs", "telemetry"),
    ("endpoints", "asgi"),
    ("middleware", "asgi"),
    ("static_files", "asgi"),
    ("app", "gateway"),
    ("server", "app"),
    ("server", "gateway"),
    ("__main__", "server"),
    ("__main__", "app"),
    ("__main__", "check"),
}
"""The exceptions, each a step inside a layer: from, to."""

FOREIGN = {
    "httpx2": {"provider"},
    "redis": {"stores"},
    "authlib": {"oauth"},
    "joserfc": {"oauth"},
    "cryptography": {"session", "settings", "oauth"},
    "itsdangerous": {"session"},
    "httptools": {"proxy"},
    "websockets": {"proxy"},
    "uvicorn": {"proxy", "server"},
    "starlette": {"endpoints", "middleware", "static_files", "asgi", "app", "gateway"},
    "click": {"__main__"},
    "prometheus_client": {"telemetry", "server"},
}
"""Each foreign library lives in as few rooms as possible."""


def room_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def files() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if room_of(path) not in ("demo", "__init__")]


def imports(path: Path, *, with_types: bool = True) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    type_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not with_types and id(node) in type_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a thing lives"
            yield node.module or ""


def layer_of(room: str) -> int:
    for number, rooms in enumerate(LAYERS):
        if room in rooms:
            return number
    raise AssertionError(f"bff/{room} stands in no layer; add it to the picture")


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_what_lies_below_it(path: Path) -> None:
    room = room_of(path)
    for name in imports(path):
        if not name.startswith("bff."):
            continue
        target = name.split(".")[1]
        if target == room or (room, target) in SHARED_WITHIN_A_LAYER:
            continue
        assert target != "demo", f"{path} imports the demo"
        assert layer_of(target) < layer_of(room), f"{path} (layer {layer_of(room)}) imports {name}"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_foreign_library_stays_in_its_room(path: Path) -> None:
    room = room_of(path)
    for name in imports(path):
        allowed = FOREIGN.get(name.split(".")[0])
        assert allowed is None or room in allowed, f"{path} imports {name}"


@pytest.mark.parametrize("path", [p for p in files() if room_of(p) in ("oauth", "session", "http")], ids=str)
def test_the_domain_does_no_input_output_and_has_no_clock(path: Path) -> None:
    forbidden = {"asyncio", "socket", "time", "os", "secrets", "random", "logging", "subprocess", "threading"}
    allowed = {"bff/session/store.py": {"asyncio"}}
    exempt = allowed.get(str(path.relative_to(PACKAGE.parent)), set())
    for name in imports(path):
        assert name.split(".")[0] not in forbidden - exempt, f"{path} imports {name}"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not exempt:
            assert not isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith), f"{path}:{node.lineno} awaits"


def test_there_is_no_import_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for path in files():
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        graph[module] = {name for name in imports(path, with_types=False) if name.startswith("bff.")}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module in done:
            return
        for target in graph.get(module, ()):
            visit(target, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_only_the_command_line_reads_the_environment() -> None:
    for path in files():
        text = path.read_text(encoding="utf-8")
        assert "os.environ" not in text or path.name == "__main__.py", path


def test_files_and_functions_stay_small() -> None:
    long_files = {str(path.relative_to(PACKAGE)): lines for path in files() if (lines := line_count(path)) > 300}
    assert long_files == {}
    for path in files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path}:{node.lineno} {node.name}"


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
