"""The files of `deploy/` as data."""

from __future__ import annotations

import functools
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bff.server import GRACEFUL_SHUTDOWN
from bff.tokens.tokens import SHUTDOWN_TIMEOUT
from tests.deploy.dockerfile import CHECKOUT
from tests.support.left_out import leave_out

DEPLOY = CHECKOUT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = ("production", "local")
LONGEST_STOP = GRACEFUL_SHUTDOWN + SHUTDOWN_TIMEOUT + 10
"""Seconds from a SIGTERM to the end: open calls, then refreshes under way, then everything else that is closed."""


def tool(name: str) -> str:
    """Return the path of a tool that `tests/deploy/tools.lock` installs, here or beside the interpreter."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        leave_out(f"{name} is not installed (tests/deploy/tools.lock)")
    return found


def yaml_documents(text: str) -> list[Any]:
    """Return the documents of YAML text."""
    if importlib.util.find_spec("yaml") is None:
        leave_out("PyYAML is not installed (tests/deploy/tools.lock)")
    yaml = importlib.import_module("yaml")
    return [document for document in yaml.safe_load_all(text) if document is not None]


def yaml_file(path: Path) -> Any:
    """Return the only document of a YAML file."""
    (document,) = yaml_documents(path.read_text(encoding="utf-8"))
    return document


def variables(path: Path) -> dict[str, str]:
    """Return the assignments of a file of environment variables, as Compose, systemd and kustomize read them."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("=", 1) for line in lines if line.strip() and not line.startswith("#")]
    return dict(pairs)


@functools.cache
def rendered(overlay: str) -> str:
    """Return the manifests of an overlay as they would be applied."""
    kustomize = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
    if shutil.which(kustomize[0]) is None:
        leave_out("neither kubectl nor kustomize is installed")
    command = [*kustomize, str(KUBERNETES / "overlays" / overlay)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def manifests(overlay: str) -> dict[str, Any]:
    """Return the manifests of an overlay by `Kind/name`, without the hashes that kustomize puts behind names."""
    found = {}
    for document in yaml_documents(rendered(overlay)):
        name = re.sub(r"-[a-z0-9]{10}$", "", document["metadata"]["name"])
        found[f"{document['kind']}/{name}"] = document
    return found
