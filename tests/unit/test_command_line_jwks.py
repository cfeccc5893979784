"""`bff jwks` on the command line: what to register at the provider, and none of what must not be shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

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


def test_the_key_alone_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "client-key.pem"
    file.write_bytes(key_for("ES256").as_pem(private=True) + key_for("PS256").as_pem(private=True))
    no_client = dict.fromkeys(environment())
    status, printed, _ = run(monkeypatch, **{**no_client, "BFF_CLIENT_KEY_FILE": str(file), "BFF_PORT": "x"})
    assert status == 0
    assert [key["kid"] for key in json.loads(printed)["keys"]] == [
        key_for("ES256").thumbprint(),
        key_for("PS256").thumbprint(),
    ]


def test_without_a_key_there_is_nothing_to_register(monkeypatch: pytest.MonkeyPatch) -> None:
    status, printed, told = run(monkeypatch)
    assert (status, printed) == (2, "")
    assert "Neither BFF_CLIENT_KEY nor BFF_CLIENT_KEY_FILE is set" in told


@pytest.mark.parametrize(
    "variables",
    [
        {"BFF_CLIENT_KEY": "no key"},
        {"BFF_CLIENT_KEY_FILE": "/nowhere"},
        {
            "BFF_CLIENT_KEY": json.dumps(key_for("RS256").as_dict(private=True) | {"alg": "RS256"}),
            "BFF_PROFILE": "fapi2",
        },
    ],
    ids=["malformed", "unreadable", "not for the profile"],
)
def test_a_key_that_cannot_be_used_is_told_as_by_serve(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    status, printed, told = run(monkeypatch, **variables)
    assert (status, printed) == (2, "")
    assert "  BFF_CLIENT_KEY: " in told
