"""What must hold between variables."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from bff.settings import VARIABLES, Settings
from bff.settings.load import ROUTE_VARIABLES
from tests.unit.settings.environments import KEY, fault, faults, loaded

REDIS = {"BFF_REDIS_URL": "redis://redis", "BFF_SECRET_KEYS": KEY}
JWK = '{"kty": "EC", "d": "x"}'


def test_every_variable_is_a_setting_and_every_setting_a_variable() -> None:
    attributes = {variable.attribute for variable in VARIABLES if variable.name not in ROUTE_VARIABLES}
    assert {field.name for field in dataclasses.fields(Settings)} == attributes | {"routes", "credential_files"}
    assert len({variable.name for variable in VARIABLES}) == len(VARIABLES)


def test_every_setting_has_the_type_it_declares(tmp_path: Path) -> None:
    page = {f"{tmp_path}/index.html": b""}
    everything = loaded(page, **REDIS, BFF_STATIC_DIR=str(tmp_path), BFF_RESOURCE="urn:x", BFF_METRICS_PORT="9090")
    for settings in (loaded(), everything):
        for name, hint in get_type_hints(Settings).items():
            assert fits(getattr(settings, name), hint), name


def fits(value: object, hint: Any) -> bool:
    arguments = get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(fits(item, arguments[0]) for item in value)
    if isinstance(hint, type):
        return type(value) is hint or isinstance(value, Path)
    return any(fits(value, each) if not isinstance(each, str) else value == each for each in arguments)


def test_the_idle_limit_is_not_longer_than_the_absolute_one() -> None:
    assert fault(BFF_SESSION_IDLE="9h").startswith("BFF_SESSION_IDLE: must not be longer than BFF_SESSION_MAX")
    assert loaded(BFF_SESSION_IDLE="8h").session_idle == 28800


def test_several_workers_need_redis() -> None:
    assert fault(BFF_WORKERS="2").startswith("BFF_WORKERS: must be 1 without BFF_REDIS_URL")
    assert loaded(BFF_WORKERS="2", **REDIS).workers == 2


def test_redis_needs_secret_keys() -> None:
    assert fault(BFF_REDIS_URL="redis://redis").startswith("BFF_SECRET_KEYS: is required with BFF_REDIS_URL")


def test_a_redis_url_that_cannot_be_used_hides_no_missing_key() -> None:
    names = [line.split(":")[0] for line in faults(BFF_REDIS_URL="nowhere")]
    assert names == ["BFF_REDIS_URL", "BFF_SECRET_KEYS"]


@pytest.mark.parametrize("name", ["BFF_REDIS_URL", "BFF_SECRET_KEYS"])
def test_a_variable_that_is_at_fault_causes_no_further_faults(name: str) -> None:
    assert fault(**{**REDIS, "BFF_WORKERS": "2", name: "x"}).startswith(f"{name}: ")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_these_methods_need_the_client_secret(method: str) -> None:
    line = fault(BFF_CLIENT_AUTH=method, BFF_CLIENT_SECRET=None, BFF_CLIENT_KEY=JWK)
    assert line.startswith(f"BFF_CLIENT_SECRET: is required by BFF_CLIENT_AUTH={method}. ")


def test_private_key_jwt_needs_the_client_key_and_no_secret() -> None:
    assert fault(BFF_CLIENT_AUTH="private_key_jwt").startswith("BFF_CLIENT_KEY: is required by BFF_CLIENT_AUTH")
    assert loaded(BFF_CLIENT_AUTH="private_key_jwt", BFF_CLIENT_SECRET=None, BFF_CLIENT_KEY=JWK).client_secret is None


def test_a_faulty_client_secret_is_not_called_missing() -> None:
    assert fault(BFF_CLIENT_SECRET="a\nb").startswith("BFF_CLIENT_SECRET: must not contain")


def test_metrics_have_a_port_of_their_own() -> None:
    assert fault(BFF_METRICS_PORT="8080").startswith("BFF_METRICS_PORT: must differ from BFF_PORT")


def test_metrics_of_several_workers_are_refused_for_they_would_be_those_of_one() -> None:
    assert fault(BFF_METRICS_PORT="9090", BFF_WORKERS="2", **REDIS).startswith("BFF_METRICS_PORT: counts one process")


def test_a_prefix_without_an_upstream_means_nothing() -> None:
    assert fault(BFF_UPSTREAM_URL=None, BFF_API_PREFIX="/v1").startswith("BFF_API_PREFIX: means nothing without")
    assert fault(BFF_UPSTREAM_URL="x", BFF_API_PREFIX="/v1").startswith("BFF_UPSTREAM_URL: ")
    assert loaded(BFF_UPSTREAM_URL=None, BFF_API_PREFIX="/api").routes == ()


def test_the_static_directory_must_hold_the_page() -> None:
    assert fault(BFF_STATIC_DIR="/srv").startswith("BFF_STATIC_DIR: must be a directory with a readable index.html")
    assert loaded({"/srv/index.html": b"<!doctype html>"}, BFF_STATIC_DIR="/srv").static_dir == Path("/srv")


def test_contradictions_are_reported_together_with_other_faults() -> None:
    assert len(faults(BFF_SESSION_IDLE="9h", BFF_WORKERS="2", BFF_CLIENT_SECRET=None, BFF_PORT="x")) == 4


LOCAL = {"BFF_PUBLIC_URL": "http://localhost:8080"}


def test_a_development_server_is_an_origin_on_this_machine() -> None:
    server = loaded(**LOCAL, BFF_SPA_DEV_SERVER="http://127.0.0.1:5173/").spa_dev_server
    assert server is not None
    assert (server.host, server.path) == ("127.0.0.1:5173", "")


@pytest.mark.parametrize(
    "url", ["http://vite.example:5173", "http://127.0.0.1:5173/app", "http://127.0.0.1@evil.example", "5173"]
)
def test_nothing_else_is_a_development_server(url: str) -> None:
    assert fault(**LOCAL, BFF_SPA_DEV_SERVER=url).startswith("BFF_SPA_DEV_SERVER: ")


def test_a_development_server_serves_no_public_site() -> None:
    line = fault(BFF_SPA_DEV_SERVER="http://127.0.0.1:5173")
    assert line.startswith("BFF_SPA_DEV_SERVER: is for development, where BFF_PUBLIC_URL is on this machine")


def test_the_page_comes_from_one_place() -> None:
    index = {"/srv/app/index.html": b"<!doctype html>"}
    line = fault(index, **LOCAL, BFF_SPA_DEV_SERVER="http://127.0.0.1:5173", BFF_STATIC_DIR="/srv/app")
    assert line.startswith("BFF_SPA_DEV_SERVER: cannot be combined with BFF_STATIC_DIR")
