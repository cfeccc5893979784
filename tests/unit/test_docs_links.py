"""What the pages name is there: links, anchors, files, variables, endpoints, error codes, words of the log."""

from __future__ import annotations

import ast
import inspect
import io
import json
import re
from functools import cache
from urllib.parse import unquote

import pytest

from bff.app import create_app
from bff.logs import AccessLog
from bff.provider import Provider
from bff.server import GRACEFUL_SHUTDOWN
from bff.settings import VARIABLES
from bff.settings.load import FILE_VARIABLES
from bff.telemetry import CODES, END_REASONS, STORE_FAULTS, Metrics
from bff.tokens.tokens import _SAVE_TIMEOUT as SAVE_AT_SHUTDOWN
from bff.tokens.tokens import SHUTDOWN_TIMEOUT
from tests.support.left_out import LEAVE_NOTHING_OUT
from tests.support.markdown import CHECKOUT, Page, pages
from tests.support.provider_settings import EVERYTHING_ON, provider_settings
from tests.unit.test_endpoints_documentation import kinds
from tests.unit.test_layers import FOREIGN, LAYERS, files, imports, room_of

PAGES = pages()
BY_NAME = {page.name: page for page in PAGES}
# What the gateway itself says and is; the guides and the way here from elsewhere speak of others' words, too.
OWN_PAGES = [p for p in PAGES if re.fullmatch(r"README\.md|docs/(decisions/)?[\w-]+\.md", p.name)]
OWN_PAGES = [p for p in OWN_PAGES if p.name not in ("docs/migration.md", "docs/certification.md")]

VARIABLE = re.compile(r"\bBFF_[A-Z_]*[A-Z]\b")
OF_THE_TESTS = {LEAVE_NOTHING_OUT, "BFF_TORTURE", "BFF_TORTURE_SEED", "BFF_WRITE_SCREENSHOTS"}
# What a misspelt or foreign variable looks like is part of the explanation.
SHOWN_AS_WRONG = {"BFF_ISUER", "BFF_SERVICE_HOST"}

FILE = re.compile(r"[\w.-]+(?:/[\w.*-]+)*(?:\.(?:py|md|toml|json|tsx?|mjs|ya?ml|conf|css|lock|env|service)|/)")
NO_FILES_OF_OURS = {
    "index.html", "app.js.br", "app.js.zst", "app.js.gz",
    "settings.env", "routes.toml", "dist/", "secrets/", "realms/",
}  # fmt: skip

ENDPOINT = re.compile(
    r"(?:\b(GET|POST|HEAD) )?(?:https://app\.example\.com|<[\w ]+>|(?<![\w/.-]))"
    r"(/bff(?:/[\w%-]+)*|/healthz|/readyz)(?![\w-])"
)
NO_ENDPOINTS = {"/bff", "/bff/%6cogin"}

STATUS_AND_CODE = re.compile(r"\b([45][0-9]{2})\s+`([a-z_]+)`")
DOTTED = re.compile(r"[a-z][a-z_]*(?:\.[a-z_]+)+(?:\.…)?|[a-z][a-z_]*\.…")
NO_WORDS_OF_THE_LOG = {"app.js.br", "app.js.zst", "app.js.gz", "app.js"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
each_own_page = pytest.mark.parametrize("page", OWN_PAGES, ids=lambda page: page.name)


def test_there_are_pages() -> None:
    assert {"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"} <= BY_NAME.keys()
    assert len(OWN_PAGES) > 15
    assert sum(len(page.links) for page in PAGES) > 60


@each_page
def test_every_link_leads_to_something(page: Page) -> None:
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            assert link.startswith(("https://", "http://localhost:", "http://127.0.0.1:")), link
            continue
        target, _, anchor = unquote(link).partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        assert path.exists(), link
        assert path.is_relative_to(CHECKOUT), link
        if anchor:
            assert anchor in BY_NAME[path.relative_to(CHECKOUT).as_posix()].anchors, link


def test_the_readme_leads_to_every_page_of_the_documentation() -> None:
    reached, waiting = set(), ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in BY_NAME:
            continue
        reached.add(name)
        page = BY_NAME[name]
        targets = [link.partition("#")[0] for link in page.links if not re.match(r"[a-z]+:", link)]
        paths = [(page.path.parent / target).resolve() for target in targets if target]
        waiting += [(p / "README.md" if p.is_dir() else p).relative_to(CHECKOUT).as_posix() for p in paths]
    assert {page.name for page in PAGES if page.name.startswith("docs/")} <= reached


@each_page
def test_every_variable_that_is_named_exists(page: Page) -> None:
    known = {*(variable.name for variable in VARIABLES), *FILE_VARIABLES, *OF_THE_TESTS, *SHOWN_AS_WRONG}
    assert set(VARIABLE.findall(page.text)) <= known


@each_page
def test_every_file_that_is_named_exists(page: Page) -> None:
    for code in page.code:
        if not FILE.fullmatch(code) or code in NO_FILES_OF_OURS:
            continue
        folders = (CHECKOUT, CHECKOUT / "bff", page.path.parent, page.path.parent / "src" / "bff")
        assert any(any(folder.glob(code.rstrip("/"))) for folder in folders), code


@each_page
def test_every_endpoint_that_is_named_exists(page: Page) -> None:
    methods = endpoints()
    for line in page.text.splitlines():
        # The left column of a comparison shows the endpoints of the other side.
        ours = line.split("|", 2)[2] if page.name == "docs/migration.md" and line.startswith("|") else line
        for method, path in ENDPOINT.findall(ours):
            assert path in NO_ENDPOINTS or method in methods[path] or not method, line


@each_page
def test_every_error_code_is_named_with_its_status(page: Page) -> None:
    statuses = {kind.code: kind.status for kind in kinds() if kind.__module__.startswith("bff.")}
    for status, code in STATUS_AND_CODE.findall(page.prose):
        assert statuses.get(code) == int(status), code


@each_own_page
def test_every_word_of_the_log_that_is_named_occurs_in_the_source(page: Page) -> None:
    for code in page.code:
        if not DOTTED.fullmatch(code) or FILE.fullmatch(code) or code in NO_WORDS_OF_THE_LOG:
            continue
        assert is_said(code), code


def test_a_word_that_the_gateway_never_says_is_noticed() -> None:
    assert is_said("store.oom")
    assert is_said("session.ended.grant_refused")
    assert is_said("host.foreign")
    assert is_said("refresh.…")
    assert is_said("id_token.auth_time_changed")
    assert not is_said("id_token.smell")
    assert not is_said("store.auth")
    assert not is_said("session.ended.boredom")
    assert not is_said("client.…")


def test_operations_names_error_codes_and_metrics_that_exist() -> None:
    text = BY_NAME["docs/operations.md"].text
    rows = text.partition("| what users see |")[2].splitlines()
    codes = {code for row in rows if row.count("|") == 4 for code in re.findall(r"`([a-z_]+)`", row.split("|")[2])}
    assert len(codes) > 5
    assert codes <= set(CODES)
    alarms = re.findall(r"^\| `([a-z_]+)_total(?:\{([a-z]+)=\"([a-z_]+)\"\})?` \|", text, re.MULTILINE)
    counted = {
        (family.name, label, value)
        for family in Metrics().collect()
        for sample in family.samples
        for label, value in sample.labels.items()
    }
    assert len(alarms) == text.count("\n| `bff_")
    for name, label, value in alarms:
        assert any(name == counter and label in ("", key) and value in ("", word) for counter, key, word in counted)


def test_operations_describes_a_request_s_line_as_it_is() -> None:
    stream = io.StringIO()
    log = AccessLog(stream, "json", lambda: 0.0)
    log.write("0" * 20, "/api", "GET", b"/api/x", 200, 1, 1.0, 1.0, "192.0.2.7", "no_session")
    log.flush()
    line = json.loads(stream.getvalue())
    text = BY_NAME["docs/operations.md"].text
    sentence = text.partition("A request's line")[2].partition("refused.")[0]
    assert set(re.findall(r"`([a-z_]+)`", sentence)) == {*line, "request"} - {"time", "level", "event"}
    (example,) = [
        json.loads(block.text) for block in BY_NAME["docs/configuration.md"].blocks if block.language == "json"
    ]
    assert list(example) == [name for name in line if name != "code"]


def test_operations_allows_a_stop_the_time_that_it_can_take() -> None:
    text = BY_NAME["docs/operations.md"].text.partition("## Stopping")[2]
    calls, rest, kill = (int(number) for number in re.findall(r"([0-9]+) (?:seconds|before)", text))
    assert calls == GRACEFUL_SHUTDOWN
    revocations = inspect.signature(Provider.close).parameters["within"].default
    assert SHUTDOWN_TIMEOUT + SAVE_AT_SHUTDOWN + revocations <= rest
    assert calls + rest <= kill


def test_every_decision_is_listed_in_its_order_under_its_own_title() -> None:
    decisions = [page for page in PAGES if re.match(r"docs/decisions/[0-9]{4}-", page.name)]
    listed = re.findall(r"^([0-9]+)\. \[(.+)\]\((.+)\)$", BY_NAME["docs/decisions/README.md"].text, re.MULTILINE)
    expected = [(p.text.partition("\n")[0].removeprefix("# "), p.path.name) for p in decisions]
    assert [(title, name) for _, title, name in listed] == expected
    assert [int(number) for number, _, _ in listed] == list(range(1, len(decisions) + 1))
    for page in decisions:
        assert re.findall(r"^\*\*(\w+)\.\*\*", page.text, re.MULTILINE) == ["Decision", "Why", "Cost"]


def test_architecture_shows_the_layers_that_are_held() -> None:
    picture = BY_NAME["docs/architecture.md"].blocks[0].text
    rows = re.findall(r"^ ([1-6])  (.*(?:\n    .*)*)$", picture, re.MULTILINE)
    shown = {int(number): set(re.findall(r"bff/(\w+)(?:/|\.py)", row)) for number, row in rows}
    # Two steps of the test are one layer of the picture, one over the other.
    held = [*LAYERS[:3], LAYERS[3] | LAYERS[4], *LAYERS[5:]]
    assert shown == dict(enumerate(held, 1))


def test_architecture_says_where_each_foreign_library_lives() -> None:
    sentence = BY_NAME["docs/architecture.md"].prose.partition("Each foreign library lives")[2].partition(";")[0]
    said = dict(part.split(" in ") for part in " ".join(sentence.split()).partition(": ")[2].split(", "))
    lives: dict[str, set[str]] = {}
    for path in files():
        for library in {name.partition(".")[0] for name in imports(path)} & FOREIGN.keys():
            lives.setdefault(library, set()).add(room_of(path))
    for library, rooms in said.items():
        assert set(re.findall(r"`(\w+)(?:/|\.py)`", rooms)) == lives.pop(library), library
    # These two are in no single room, and the text says so.
    assert set(lives) == {"starlette", "click"}


def is_said(word: str) -> bool:
    """Whether a dotted word is a reason, event, finding or endpoint's name of the gateway."""
    if word.endswith("…"):
        return any(literal.startswith(word[:-1]) for literal in literals())
    for prefix, words in (("store.", STORE_FAULTS), ("session.ended.", END_REASONS)):
        if word.startswith(prefix) and word.removeprefix(prefix) in words:
            return True
    kind, _, rule = word.partition(".")
    return word in literals() or {kind, f".{rule}"} <= literals()


@cache
def literals() -> frozenset[str]:
    """Every string in the gateway's source, the findings' identifiers included."""
    strings = set()
    for path in (CHECKOUT / "bff").rglob("*.py"):
        if "demo" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    strings.add(node.value)
    return frozenset(strings)


@cache
def endpoints() -> dict[str, set[str]]:
    """The methods of each endpoint."""
    gateway = create_app(provider_settings(**EVERYTHING_ON), clock=lambda: 0.0, random_bytes=lambda size: b"r" * size)
    return {endpoint.path: set(endpoint.handlers) for endpoint in gateway.endpoints}
