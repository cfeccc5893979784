"""The Kubernetes manifests as kustomize renders them."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.dockerfile import CHECKOUT, read_stages
from tests.deploy.documents import DEPLOY, KUBERNETES, LONGEST_STOP, OVERLAYS, manifests, rendered, tool

OLDEST_VERSION = "1.30"
"""The first version of Kubernetes in which the pause before a stop is on by default."""

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@each_overlay
@pytest.mark.parametrize("version", [OLDEST_VERSION, "1.34"])
def test_the_manifests_keep_to_the_schema_of_kubernetes(overlay: str, version: str, tmp_path: Path) -> None:
    (tmp_path / "manifests.yaml").write_text(rendered(overlay), encoding="utf-8")
    command = [
        tool("kubernetes-validate"),
        "--strict",
        "--kubernetes-version",
        version,
        str(tmp_path / "manifests.yaml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def test_every_file_is_part_of_what_is_rendered_or_of_a_component() -> None:
    for directory in {path.parent for path in KUBERNETES.rglob("*.*")}:
        listed = (directory / "kustomization.yaml").read_text(encoding="utf-8")
        for path in directory.iterdir():
            assert path.is_dir() or path.name == "kustomization.yaml" or re.search(rf"\b{path.name}\b", listed), path


@each_overlay
def test_every_pod_keeps_to_the_restricted_security_standard(overlay: str) -> None:
    for pod in pods(overlay):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["readOnlyRootFilesystem"] is True
            assert container["resources"].keys() == {"requests", "limits"}
            assert "memory" in container["resources"]["limits"]
    namespace = manifests(overlay)["Namespace/bff"]["metadata"]["labels"]
    assert namespace["pod-security.kubernetes.io/enforce"] == "restricted"


@each_overlay
def test_the_gateway_runs_as_the_images_user(overlay: str) -> None:
    user, group = read_stages()["gateway"].all("USER")[-1].rest.split(":")
    context = gateway_pod(overlay)["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (int(user), int(group), int(group))


@each_overlay
def test_probes_ask_what_they_are_for(overlay: str) -> None:
    (container,) = gateway_pod(overlay)["containers"]
    paths = {probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    settings = manifests(overlay)["ConfigMap/bff"]["data"]
    assert ports == {"http": 8080, "metrics": int(settings["BFF_METRICS_PORT"])}


@each_overlay
def test_open_calls_get_their_time_to_end_after_the_pause(overlay: str) -> None:
    pod = gateway_pod(overlay)
    (container,) = pod["containers"]
    pause = container["lifecycle"]["preStop"]
    assert pause.keys() == {"sleep"}
    assert pod["terminationGracePeriodSeconds"] >= pause["sleep"]["seconds"] + LONGEST_STOP


@each_overlay
def test_secrets_are_files_of_their_group_alone(overlay: str) -> None:
    for pod in pods(overlay):
        secrets = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
        assert [(secret["secretName"], secret["defaultMode"]) for secret in secrets] == [("bff", 0o440)]
        for container in pod["containers"]:
            assert "env" not in container
            assert not [source for source in container.get("envFrom", []) if "secretRef" in source]


@each_overlay
def test_what_selects_the_gateway_selects_its_pods_and_not_the_stores(overlay: str) -> None:
    documents = manifests(overlay)
    labels = documents["Deployment/bff"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        documents["Deployment/bff"]["spec"]["selector"]["matchLabels"],
        documents["Service/bff"]["spec"]["selector"],
        documents["PodDisruptionBudget/bff"]["spec"]["selector"]["matchLabels"],
        documents["NetworkPolicy/bff"]["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert selector["app.kubernetes.io/component"] == "gateway"


@each_overlay
def test_the_number_of_instances_is_the_autoscalers_alone(overlay: str) -> None:
    documents = manifests(overlay)
    assert "replicas" not in documents["Deployment/bff"]["spec"]
    target = documents["HorizontalPodAutoscaler/bff"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", "bff")
    (container,) = gateway_pod(overlay)["containers"]
    assert "cpu" in container["resources"]["requests"]


def test_production_outlives_the_loss_of_an_instance() -> None:
    documents = manifests("production")
    assert documents["HorizontalPodAutoscaler/bff"]["spec"]["minReplicas"] >= 2
    assert documents["PodDisruptionBudget/bff"]["spec"]["maxUnavailable"] == 1
    assert documents["Deployment/bff"]["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_only_the_edge_and_the_metrics_reader_reach_the_gateway_in_production() -> None:
    policy = manifests("production")["NetworkPolicy/bff"]["spec"]
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    reached = [
        (rule["from"][0]["namespaceSelector"]["matchLabels"], rule["ports"][0]["port"]) for rule in policy["ingress"]
    ]
    assert [(labels["kubernetes.io/metadata.name"], port) for labels, port in reached] == [
        ("ingress", 8080),
        ("monitoring", 9090),
    ]


@each_overlay
def test_no_private_address_is_reached_on_the_providers_port(overlay: str) -> None:
    for rule in manifests(overlay)["NetworkPolicy/bff"]["spec"]["egress"]:
        if {"port": 443, "protocol": "TCP"} in rule["ports"]:
            blocks = {peer["ipBlock"]["cidr"]: peer["ipBlock"]["except"] for peer in rule["to"]}
            assert blocks.keys() == {"0.0.0.0/0", "::/0"}
            assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(blocks["0.0.0.0/0"])


def test_the_store_in_the_cluster_is_reached_by_the_gateway_alone() -> None:
    documents = manifests("local")
    (rule,) = documents["NetworkPolicy/bff-store"]["spec"]["ingress"]
    gateway = documents["Deployment/bff"]["spec"]["template"]["metadata"]["labels"]
    assert all(peer["podSelector"]["matchLabels"].items() <= gateway.items() for peer in rule["from"])
    assert documents["NetworkPolicy/bff-store"]["spec"].get("egress", []) == []
    store = documents["StatefulSet/bff-store"]["spec"]["template"]["metadata"]["labels"]
    to_store = documents["NetworkPolicy/bff"]["spec"]["egress"][-1]["to"][0]["podSelector"]["matchLabels"]
    assert to_store.items() <= store.items()


@each_overlay
def test_the_image_is_of_this_version(overlay: str) -> None:
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    (container,) = gateway_pod(overlay)["containers"]
    assert container["image"].rpartition(":")[2] == version


def test_no_manifest_holds_a_secret() -> None:
    for path in DEPLOY.rglob("*.yaml"):
        assert not re.search(r"(?m)^\s*(- )?kind: Secret$", path.read_text(encoding="utf-8")), path


def gateway_pod(overlay: str) -> Any:
    """Return the template of the gateway's pods."""
    return manifests(overlay)["Deployment/bff"]["spec"]["template"]["spec"]


def pods(overlay: str) -> list[Any]:
    """Return the templates of all pods."""
    kinds = ("Deployment", "StatefulSet")
    documents = [document for document in manifests(overlay).values() if document["kind"] in kinds]
    assert documents
    return [document["spec"]["template"]["spec"] for document in documents]
