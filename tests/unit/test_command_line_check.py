"""`bff check` on the command line: text or JSON on standard output, the verdict as exit status."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from bff.__main__ import main

FAULTY = {"BFF_PORT": "a-secret-in-the-wrong-place", "BFF_REDIS_URL": "redis://host/not-a-number"}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name, value in FAULTY.items():
        monkeypatch.setenv(name, value)
    return CliRunner()


def test_the_text_tells_all_faults_at_once_and_ends_with_status_2(command: CliRunner) -> None:
    done = command.invoke(main, ["check"])
    assert done.exit_code == 2
    for name in ("BFF_PUBLIC_URL", "BFF_ISSUER", "BFF_CLIENT_ID", *FAULTY):
        assert f"  {name}: " in done.stdout
    assert "\x1b[" not in done.stdout
    assert "secret-in-the-wrong" not in done.output


def test_the_json_report_is_one_document(command: CliRunner) -> None:
    done = command.invoke(main, ["check", "--json"])
    document = json.loads(done.stdout)
    assert done.exit_code == document["exit_status"] == 2
    assert document["verdict"] == "unusable"
    assert {finding["id"] for finding in document["findings"]} == {"settings.faults"}
    assert "secret-in-the-wrong" not in done.output


def test_the_faults_are_those_that_serve_tells(command: CliRunner) -> None:
    told = command.invoke(main, ["serve"])
    found = json.loads(command.invoke(main, ["check", "--json"]).stdout)["findings"]
    assert told.exit_code == 2
    assert len(found) == told.output.count("\n  BFF_")
    for finding in found:
        assert f"  {finding['variable']}: {finding['seen']}" in told.output


def test_the_help_tells_the_exit_statuses(command: CliRunner) -> None:
    assert "0 good, 1 degraded, 2 unusable" in command.invoke(main, ["check", "--help"]).stdout
