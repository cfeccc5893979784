"""Every example's environment, put together as its platform would, is one that the gateway starts with."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bff.settings import VARIABLES, Settings, load_settings
from bff.settings.load import FILE_VARIABLES
from bff.stores.redis_address import parse_redis_address
from tests.deploy.dockerfile import CHECKOUT, final_environment
from tests.deploy.documents import DEPLOY, KUBERNETES, OVERLAYS, manifests, variables, yaml_file

NAMES = {variable.name for variable in VARIABLES}
NAME = re.compile(r"\bBFF_[A-Z_]*[A-Z]\b")
TEXTS = [path for path in [*DEPLOY.rglob("*"), CHECKOUT / "docs" / "deployment.md"] if path.is_file()]


@dataclass
class Example:
    """The variables that a process of the gateway gets, and the files that it finds."""

    environ: dict[str, str]
    files: dict[str, bytes] = field(default_factory=dict)

    def settings(self) -> Settings:
        """Return the settings the gateway would start with; raises `SettingsInvalid`."""
        return load_settings(self.environ, read_file=self._read)

    def _read(self, path: Path) -> bytes:
        try:
            return self.files[str(path)]
        except KeyError:
            raise FileNotFoundError(2, "no such file or directory") from None


def compose(directory: Path) -> Example:
    """The gateway of the Compose file, with secrets as `new-secrets` makes them."""
    service = yaml_file(DEPLOY / "compose" / "compose.yaml")
    gateway = service["services"]["gateway"]
    assert gateway["env_file"] == ".env"
    target = gateway["build"]["target"]
    environ = {
        **final_environment(target),
        **variables(DEPLOY / "compose" / ".env.example"),
        **gateway["environment"],
    }
    secrets = new_secrets(directory)
    files = {f"/run/secrets/{name}": secrets[service["secrets"][name]["file"]] for name in gateway["secrets"]}
    return Example(environ, {**files, **page(environ)})


def kubernetes(overlay: str) -> Example:
    """The gateway of an overlay, with the Secret that the documentation has made."""
    documents = manifests(overlay)
    pod = documents["Deployment/bff"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    config_maps = {document["metadata"]["name"]: document for document in documents.values()}
    environ = final_environment("gateway-with-page")
    for source in container["envFrom"]:
        environ |= config_maps[source["configMapRef"]["name"]]["data"]
    files = page(environ)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        data = (
            {"client-secret": "secret", "secret-keys": "k" * 43, "redis-url": "redis://:x@bff-store:6379/0"}
            if "secret" in volume
            else config_maps[volume["configMap"]["name"]]["data"]
        )
        files |= {f"{mount['mountPath']}/{name}": text.encode() for name, text in data.items()}
    return Example(environ, files)


def systemd() -> Example:
    """The gateway of the systemd unit, with its credentials where systemd puts them."""
    unit = (DEPLOY / "systemd" / "bff.service").read_text(encoding="utf-8")
    directory = "/run/credentials/bff.service"
    assigned = dict(re.findall(r"(?m)^Environment=(\w+)=(.*)$", unit.replace("%d", directory)))
    credentials = re.findall(r"(?m)^LoadCredential=([a-z-]+):/etc/bff/credentials/\1$", unit)
    contents = {"client-secret": b"secret\n", "secret-keys": b"k" * 43, "redis-url": b"redis://127.0.0.1:6379/0\n"}
    environ = {**variables(DEPLOY / "systemd" / "bff.env"), **assigned}
    return Example(environ, {**{f"{directory}/{name}": contents[name] for name in credentials}, **page(environ)})


EXAMPLES: Mapping[str, Callable[[Path], Example]] = {
    "compose": compose,
    **{f"kubernetes, {name}": lambda _directory, name=name: kubernetes(name) for name in OVERLAYS},  # type: ignore[misc]
    "systemd": lambda _directory: systemd(),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_gateway_starts_with_the_example(name: str, tmp_path: Path) -> None:
    example = EXAMPLES[name](tmp_path)
    settings = example.settings()
    assert settings.redis_url is not None
    parse_redis_address(settings.redis_url.reveal())
    assert settings.routes
    assert settings.static_dir == Path("/srv/app")


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_example_has_a_secret_in_a_variable(name: str, tmp_path: Path) -> None:
    given = EXAMPLES[name](tmp_path).environ
    assert not {variable.name for variable in VARIABLES if variable.secret} & given.keys()
    assert {"BFF_CLIENT_SECRET_FILE", "BFF_SECRET_KEYS_FILE", "BFF_REDIS_URL_FILE"} <= given.keys()


@pytest.mark.parametrize("name", [name for name in EXAMPLES if "local" not in name])
def test_the_proxy_in_front_is_believed_and_nobody_else(name: str, tmp_path: Path) -> None:
    settings = EXAMPLES[name](tmp_path).settings()
    assert settings.public_url.is_secure
    (network,) = settings.trusted_proxies
    assert network.is_private


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_variable_that_is_named_exists(path: Path) -> None:
    named = set(NAME.findall(path.read_text(encoding="utf-8")))
    assert named <= {*NAMES, *FILE_VARIABLES}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_settings_of_an_overlay_add_to_those_of_the_base(overlay: str) -> None:
    base, own = (variables(KUBERNETES / place / "gateway.env") for place in ("base", f"overlays/{overlay}"))
    assert not base.keys() & own.keys()
    assert manifests(overlay)["ConfigMap/bff"]["data"] == {**base, **own}


def test_the_examples_agree_on_the_public_host(tmp_path: Path) -> None:
    components = KUBERNETES / "components"
    ingress = yaml_file(components / "ingress" / "ingress.yaml")
    route = yaml_file(components / "http-route" / "http-route.yaml")
    nginx = (DEPLOY / "nginx" / "bff.conf").read_text(encoding="utf-8")
    hosts = {
        *(EXAMPLES[name](tmp_path).settings().public_url.hostname for name in EXAMPLES if "local" not in name),
        *(rule["host"] for rule in ingress["spec"]["rules"]),
        *(host for tls in ingress["spec"]["tls"] for host in tls["hosts"]),
        *route["spec"]["hostnames"],
        *re.findall(r"server_name (\S+);", nginx),
    }
    assert hosts == {"app.example.com"}


def new_secrets(directory: Path) -> dict[str, bytes]:
    """Return what `new-secrets` makes, by path; run in `directory`, once the client secret is there."""
    script = shutil.copy(DEPLOY / "compose" / "new-secrets", directory)
    (directory / "secrets").mkdir(exist_ok=True)
    (directory / "secrets" / "client_secret").write_text("secret\n", encoding="ascii")
    subprocess.run([script], check=True)
    return {f"secrets/{path.name}": path.read_bytes() for path in (directory / "secrets").iterdir()}


def page(environ: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a built page where the variables say it is."""
    return {f"{environ['BFF_STATIC_DIR']}/index.html": b""} if "BFF_STATIC_DIR" in environ else {}
