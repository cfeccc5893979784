"""Every block of code in the pages is checked: here, by the test that a table names, or for a reason not at all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from bff.__main__ import main
from bff.errors import StepUpRequired
from bff.http.step_up import demanded_step_up
from bff.http.targets import upstream_target
from bff.oauth.signing_key import parse_signing_keys
from bff.proxy.refusal import refusal
from bff.settings import Settings, load_settings
from bff.settings.load import FILE_VARIABLES
from bff.settings.profile import PROFILE_ALGORITHMS
from bff.stores.redis_address import parse_redis_address
from tests.support.certificates import client_certificate
from tests.support.gateway_browser import running_site
from tests.support.markdown import CHECKOUT, Block, page, pages
from tests.support.provider_guides import parse_environment
from tests.support.signed_tokens import rsa_key
from tests.unit.settings.environments import COMPLETE, files

BLOCKS = [block for each in pages() for block in each.blocks]
LANGUAGES = {"", "sh", "js", "toml", "json", "text"}

README = "tests/integration/test_readme.py"
CHECK = "tests/integration/test_check.py"
APPLICATION = "tests/integration/test_application_source.py"
BY_HAND = "changes the machine it runs on; "
RUN_BY = {
    r"make demo": "tests/integration/test_demo_launcher.py::test_an_interrupt_stops_everything_and_is_no_error",
    r"make test": "these tests are what it runs",
    r"make check": "what it runs is part of .ci/run",
    r"\.ci/run": "it runs these tests",
    r"make bench( ARGS=.*)?": "tests/unit/test_performance_documentation.py::test_every_command_is_understood",
    r"(export )?BFF_\w+=.*": f"{README}::test_the_readmes_own_provider_works_word_for_word",
    r"bff check": f"{README}::test_the_readmes_own_provider_works_word_for_word",
    r"bff serve": f"{README}::test_the_readmes_own_provider_works_word_for_word",
    r"bff check --json": f"{CHECK}::test_the_report_has_the_members_that_are_documented",
    r"mkdir -p data/import|cp \"\$BFF/.*|export KC_.*|bin/kc\.sh .*": "tests/integration/test_keycloak.py::"
    "test_a_login_through_keycloaks_form_gives_a_session_and_tokens_that_the_api_accepts",
    r"\.venv/bin/python -m bff\.demo\.timesheets .*": f"{README}::test_the_apis_own_command_is_one_that_it_takes",
    r"set -a; \. deploy/keycloak/gateway\.env; set \+a": f"{README}::test_keycloaks_environment_is_read_by_the_shell",
    r"\.venv/bin/bff serve": f"{README}::test_keycloaks_environment_is_read_by_the_shell",
    r"docker build .*": "tests/deploy/test_image_steps.py::"
    "test_it_serves_read_only_and_without_rights_until_it_is_told_to_stop",
    r"docker run --rm bff keygen": "tests/deploy/test_image_steps.py::test_the_other_commands_run_in_it",
    r"docker run .* bff( check)?": "needs a container engine; the image's steps and entry point are run without one",
    r"\./new-secrets": "tests/deploy/test_compose.py::test_secrets_are_made_once_and_for_their_owner_alone",
    r"cp \.env\.example \.env": "tests/deploy/test_environments.py::test_the_gateway_starts_with_the_example",
    r"docker compose .*": "needs a container engine; the file is held against its parts",
    r"kubectl .*": "needs a cluster; what it applies is rendered and held against the schemas",
    r"python3 -m venv .*|\S+/bin/pip .*": BY_HAND + "the image's build runs the same steps",
    r"bff jwks": "tests/unit/test_command_line_jwks.py::test_the_public_halves_are_printed_newest_first",
    r"openssl genpkey .*": "tests/unit/test_docs_snippets.py::test_the_key_that_openssl_makes_is_one_to_sign_with",
    r"install .*": BY_HAND + "the files it names exist",
    r"systemctl .*": BY_HAND + "the unit is examined by systemd-analyze",
    r"npm ci": f"{APPLICATION}::test_its_types_hold",
    r"npm run dev": "tests/browser/test_dev_server.py::"
    "test_a_change_of_the_source_shows_at_once_in_the_page_of_a_signed_in_user",
    r"npm test": f"{APPLICATION}::test_its_unit_tests_pass",
    r"npm run (check-)?build": f"{APPLICATION}::test_its_build_in_the_repository_is_what_its_source_builds_to",
}
"""Shell commands, and the test that runs each, or why none does."""

SHOWN = {
    "README.md:   browser ": "a picture",
    "docs/architecture.md: 6 ": "tests/unit/test_docs_links.py::test_architecture_shows_the_layers_that_are_held",
    "docs/architecture.md: socket ": "a picture; its files exist",
    "docs/architecture.md: a call ": "a picture; its files exist",
    "docs/architecture.md: cookie ": "a picture",
    "docs/architecture.md: browser ": "a picture",
    "docs/deployment.md: browser ": "a picture",
    "docs/proxied-call.md:          request head": "tests/unit/proxy/test_states_documentation.py::"
    "test_the_drawing_has_every_state_and_no_other",
    "docs/proxied-call.md: call ": "a picture",
    "docs/check.md:ok ": f"{CHECK}::test_the_example_in_the_documentation_is_what_the_command_prints",
    "docs/check.md:ACL ": f"{CHECK}::test_the_documented_rights_are_enough_for_everything_and_one_less_is_told",
    "docs/configuration.md:bff cannot start": "tests/unit/test_docs_snippets.py::"
    "test_the_faults_that_are_shown_are_what_the_command_prints",
    "docs/configuration.md:BFF_API_PREFIX=": "tests/unit/test_docs_snippets.py::"
    "test_the_rewritten_path_is_what_the_gateway_makes_of_it",
}
"""Blocks that are neither commands nor data, by page and beginning, and the test that holds each."""

CONTENTS = {
    "/run/secrets/client": b"the-client's-secret\n",
    "/run/secrets/keys": b"k" * 43,
    "/srv/app/index.html": b"<!doctype html>",
}

TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")


def of(language: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == language], ids=str)


def environments() -> list[Block]:
    return [block for block in BLOCKS if block.language == "sh" and all(map(is_assignment, commands(block)))]


def commands(block: Block) -> list[str]:
    """The lines without their comments; a comment begins after white space."""
    lines = (re.sub(r"(^|\s+)#.*$", "", line) for line in block.text.splitlines())
    return [line for line in lines if line]


def is_assignment(line: str) -> bool:
    return re.match(r"(export )?BFF_\w+=", line) is not None


def file_contents() -> dict[str, bytes]:
    (routes,) = (block.text for block in BLOCKS if block.language == "toml")
    key = rsa_key().as_pem(private=True)
    certificate, certificate_key = client_certificate()
    return {
        **CONTENTS,
        "/etc/bff/routes.toml": routes.encode(),
        "/run/secrets/client-key.pem": key,
        "/run/secrets/client.pem": certificate.encode(),
        "/run/secrets/client-cert-key.pem": certificate_key.encode(),
    }


def test_every_language_is_one_of_which_something_is_known() -> None:
    assert len(BLOCKS) > 35
    assert {block.language for block in BLOCKS} == LANGUAGES


@of("sh")
def test_every_command_is_run_by_a_test_or_a_reason_says_why_not(block: Block) -> None:
    for line in [] if block in environments() else commands(block):
        assert any(re.fullmatch(command, line) for command in RUN_BY), line


def test_every_entry_of_the_tables_is_needed_and_every_test_in_them_exists() -> None:
    lines = {line for block in BLOCKS if block.language == "sh" for line in commands(block)}
    for command in RUN_BY:
        assert any(re.fullmatch(command, line) for line in lines), command
    for file, name in TEST.findall("\n".join([*RUN_BY.values(), *SHOWN.values()])):
        assert re.search(rf"^(async )?def {name}\(", (CHECKOUT / file).read_text(encoding="utf-8"), re.MULTILINE), name


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language in ("", "text")], ids=str)
def test_every_picture_and_output_is_known(block: Block) -> None:
    assert len([start for start in SHOWN if f"{block.page}:{block.text}".startswith(start)]) == 1


def test_what_make_runs_is_what_the_tests_run() -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    assert "demo: $(VENV)/.installed\n\t@$(BIN)/python -m bff.demo\n" in makefile
    first, _, then = makefile.partition("test: $(VENV)/.installed\n")[2].partition("\n\n")[0].splitlines()
    assert first == "\t@$(BIN)/python -m pytest --numprocesses auto --ignore tests/torture; \\"
    assert then == "\t$(BIN)/python -m pytest tests/torture && exit $$status"


@pytest.mark.parametrize("block", environments(), ids=str)
def test_every_environment_is_one_that_the_gateway_starts_with(block: Block) -> None:
    given = parse_environment(block.text.replace("new-key old-key", f"{'n' * 43} {'o' * 43}"))
    is_complete = "BFF_ISSUER" in given
    if not is_complete:
        # An excerpt: what it leaves out is as in the other examples.
        rest = dict(COMPLETE)
        for name in (*given, *(["BFF_CLIENT_SECRET"] if {"BFF_CLIENT_AUTH", "BFF_PROFILE"} & given.keys() else [])):
            rest.pop(FILE_VARIABLES[name].name if name in FILE_VARIABLES else name, None)
        if "BFF_ROUTES" in given or "BFF_ROUTES_FILE" in given:
            del rest["BFF_UPSTREAM_URL"]
        given = {**rest, **given}
    settings = start_with(given)
    assert settings.routes


def test_the_readmes_environment_is_the_first_example_of_the_reference() -> None:
    (readme,) = (block for block in page("README.md").blocks if "BFF_ISSUER" in block.text)
    assignments = "\n".join(line for line in commands(readme) if is_assignment(line))
    example = next(block for block in page("docs/configuration.md").blocks if "BFF_ISSUER=" in block.text)
    host = {"BFF_HOST": "0.0.0.0"}
    assert {**parse_environment(assignments), **host} == parse_environment(example.text)
    assert start_with(parse_environment(assignments)).static_dir == Path("/srv/app")


def test_what_the_readme_says_of_ones_own_machine_is_an_environment_too() -> None:
    (block,) = (block for block in page("README.md").blocks if "BFF_ISSUER" in block.text)
    environ = parse_environment("\n".join(line for line in commands(block) if is_assignment(line)))
    sentences = page("README.md").prose.partition("To try it on your own machine")[2].partition("\n\n")[0]
    without, instead = sentences.split("Instead of")
    changes = dict(re.findall(r"`(BFF_\w+)=([^`]+)`", sentences))
    assert set(changes) == {"BFF_PUBLIC_URL", "BFF_SPA_DEV_SERVER"}
    for name in [*re.findall(r"`(BFF_\w+)`", without), *re.findall(r"`(BFF_\w+)`", instead)]:
        del environ[name]
    settings = start_with({**environ, **changes})
    assert (settings.redis_url, settings.static_dir) == (None, None)
    assert settings.spa_dev_server is not None
    assert settings.public_url.origin == f"http://localhost:{settings.port}"


@of("toml")
def test_every_routes_file_is_one(block: Block) -> None:
    (example,) = (b for b in BLOCKS if "BFF_ROUTES_FILE" in b.text and b.language == "sh")
    environ = {**COMPLETE, **parse_environment(example.text)}
    del environ["BFF_UPSTREAM_URL"], environ["BFF_CLIENT_SECRET"]
    assert [route.prefix for route in start_with(environ).routes] == [
        table["prefix"] for table in tomllib.loads(block.text)["routes"]
    ]


def test_the_faults_that_are_shown_are_what_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    block = shown("docs/configuration.md", "bff cannot start")
    for name in [name for name in os.environ if name.startswith("BFF_")]:
        monkeypatch.delenv(name)
    environ = {"BFF_ISUER": "https://id.example.com", "BFF_PUBLIC_URL": "http://app.example.com"}
    for name, value in {**environ, "BFF_CLIENT_ID": "app", "BFF_CLIENT_SECRET": "secret"}.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["serve"])
    assert done.exit_code == 2
    assert done.output == block.text


def test_the_rewritten_path_is_what_the_gateway_makes_of_it() -> None:
    setting, before, after = re.split(r" {3,}|  → +", shown("docs/configuration.md", "BFF_API_PREFIX=").text.strip())
    settings = start_with({**COMPLETE, **parse_environment(setting)})
    (route,) = settings.routes
    path, _, query = before.encode().partition(b"?")
    upstream = route.upstream
    target = upstream_target(path, query, prefix=route.prefix.encode(), upstream_path=upstream.path.encode())
    assert f"{upstream.scheme}://{upstream.host}{target.decode()}" == after


async def test_the_sessions_that_are_shown_have_the_members_of_real_ones() -> None:
    blocks = [block for block in page("docs/endpoints.md").blocks if block.language == "json"]
    anonymous, signed_in, *_ = (json.loads(block.text) for block in blocks)
    async with running_site() as site:
        browser = site.browser()
        assert await browser.session() == anonymous
        await browser.sign_in()
        real = await browser.session()
    assert real.keys() == signed_in.keys()
    assert [type(value) for value in real.values()] == [type(value) for value in signed_in.values()]
    assert (real["authenticated"], real["logout_url"]) == (signed_in["authenticated"], signed_in["logout_url"])


def test_the_step_up_that_is_shown_is_the_gateways_answer_to_the_challenge_that_is_shown() -> None:
    (block,) = (block for block in page("docs/endpoints.md").blocks if '"step_up_required"' in block.text)
    challenge = b'Bearer error="insufficient_user_authentication", acr_values="urn:example:mfa", max_age="300"'
    demand = demanded_step_up([(b"WWW-Authenticate", challenge)], ("acr_values", "max_age"))
    assert demand is not None
    error = StepUpRequired("upstream.step_up", login_query=demand.query)
    _, body = refusal(error, None, closes=False, date=b"", request_id="5f0c1d2e3a4b00000009")
    assert json.loads(body) == json.loads(block.text)


def shown(name: str, start: str) -> Block:
    (block,) = (block for block in page(name).blocks if block.text.startswith(start))
    return block


def start_with(environ: dict[str, str]) -> Settings:
    checks: dict[str, Callable[[str], object]] = {
        "BFF_CLIENT_KEY": parse_signing_keys,
        "BFF_REDIS_URL": parse_redis_address,
    }
    return load_settings(environ, read_file=files(file_contents()), checks=checks)


def test_the_key_that_openssl_makes_is_one_to_sign_with(tmp_path: Path) -> None:
    (command,) = (
        line for block in BLOCKS if block.language == "sh" for line in commands(block) if "openssl genpkey" in line
    )
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    (key,) = parse_signing_keys((tmp_path / "client-key.pem").read_text(), algorithms=PROFILE_ALGORITHMS)
    assert key.algorithms == ("ES256",)
