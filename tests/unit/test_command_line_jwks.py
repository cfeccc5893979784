"""`bff jwks` on the command line: what to register at the provider, and none of what must not be shown."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

from bff.__main__ import main
from tests.support.signed_tokens import key_for
from tests.unit.settings.environments import environment


def run(monkeypatch: pytest.MonkeyPatch, **variables: str | None) -> tuple[int, str, str]:
    for name in [name for name in os.environ if name.startswith("BFF_")]:
        monkeypatch.delenv(name)
    for name, value in environment(**variables).items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["jwks"])
    return done.exit_code, done.stdout, done.stderr


def test_the_public_halves_are_printed_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    private = [{**key_for(name).as_dict(private=True), "kid": name} for name in ("ES256", "PS256")]
    status, printed, _ = run(monkeypatch, BFF_CLIENT_KEY=json.dumps({"keys": private}))
    assert status == 0
    assert [key["kid"] for key in json.loads(printed)["keys"]] == ["ES256", "PS256"]
    assert all(str(key["d"]) not in printed for key in private)


def test_without_a_key_there_is_nothing_to_register(monkeypatch: pytest.MonkeyPatch) -> None:
    status, printed, told = run(monkeypatch)
    assert (status, printed) == (2, "")
    assert "BFF_CLIENT_KEY is not set" in told


def test_a_faulty_configuration_is_told_as_by_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    status, printed, told = run(monkeypatch, BFF_CLIENT_KEY="no key", BFF_PORT="x")
    assert (status, printed) == (2, "")
    assert "  BFF_CLIENT_KEY: " in told
    assert "  BFF_PORT: " in told
