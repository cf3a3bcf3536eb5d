"""What is in `deploy` is what its tools accept, and keeps what its comments say. No container is run."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from quintet.config import ServerLimits
from support.command import run_program
from support.pages import ROOT
from support.server_process import ServerError, run

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
KUBERNETES = "1.30"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LEAST_GRACE = ServerLimits().shutdown_seconds + 30
"""Seconds that a server needs at most: its connections close, requests in flight end, and some more."""


def documents() -> Iterator[dict[str, Any]]:
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text())


def named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in documents() if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pods() -> dict[str, dict[str, Any]]:
    """The specifications of pods by the name of what makes them."""
    workloads = [each for each in documents() if each["kind"] in ("StatefulSet", "Deployment")]
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in workloads}


# systemd


def test_systemd_waits_until_all_connections_are_closed() -> None:
    unit = (DEPLOY / "quintet.service").read_text()
    seconds = re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert seconds is not None
    assert int(seconds[1]) >= LEAST_GRACE


# Compose


@pytest.fixture
def compose(tmp_path: Path) -> Path:
    """A copy of the folder, with secrets."""
    folder = shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets"))
    run([str(folder / "make-secrets"), str(folder / "secrets"), "chat.example.com"])
    return folder


def config(folder: Path) -> str:
    """What Docker Compose makes of the file. Raises ServerError."""
    return run(["docker-compose", "-f", str(folder / "compose.yaml"), "config"])


@pytest.mark.real
def test_docker_compose_accepts_the_file(compose: Path) -> None:
    assert "quintet-2" in config(compose)
    file = compose / "compose.yaml"
    file.write_text(file.read_text().replace("restart: unless-stopped", "restarts: often", 1))
    with pytest.raises(ServerError):
        config(compose)


@pytest.mark.real
def test_every_secret_is_made_and_read_by_none_but_its_container(compose: Path) -> None:
    for each in COMPOSE["secrets"].values():
        path = compose / each["file"]
        assert path.stat().st_size
        assert path.stat().st_mode & 0o077 == (0o044 if path.name == "ca.pem" else 0)
    used = {
        each if isinstance(each, str) else each["source"]
        for service in SERVICES.values()
        for each in service.get("secrets", ())
    }
    assert used == set(COMPOSE["secrets"])


@pytest.mark.real
def test_the_settings_of_the_nodes_have_no_problems(compose: Path) -> None:
    settings = compose / "node"
    settings.mkdir()
    for service in ("quintet-1", "quintet-2"):
        for kind in ("configs", "secrets"):
            for each in SERVICES[service][kind]:
                source = compose / COMPOSE[kind][each["source"]]["file"]
                text = source.read_bytes().replace(b"/etc/quintet/", f"{settings}/".encode())
                path = settings / Path(each["target"]).name
                path.write_bytes(text)
                path.chmod(0o600)
    ran = run_program("--config", settings, "check", environ=SERVICES["quintet-1"]["environment"])
    assert ran.code == 0, ran.out
    problems = run_program("--config", settings, "check", "--json").document["problems"]
    assert {each["code"] for each in problems if each["severity"] != "note"} == set()


def test_images_have_exact_versions() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += [each["image"] for spec in pods().values() for each in spec["containers"]]
    assert len(images) == 9
    for image in images:
        assert image == "quintet:local" or re.search(r":\d+(\.\d+)+$", image)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_watched_and_restarted(name: str) -> None:
    service = SERVICES[name]
    assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys()
    assert service["healthcheck"]["test"]
    assert service["restart"] == "unless-stopped"
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")


def test_only_the_balancer_can_be_reached_from_outside() -> None:
    assert {name for name, service in SERVICES.items() if service.get("ports")} == {"haproxy"}
    assert SERVICES["haproxy"]["ports"] == ["1533:1533", "8080:8080"]
    assert COMPOSE["networks"]["back"]["internal"] is True
    for name in ("valkey", "postgresql", "openldap"):
        assert SERVICES[name]["networks"] == ["back"]


def test_the_balancer_that_nodes_trust_is_the_one_of_the_file() -> None:
    address = SERVICES["haproxy"]["networks"]["front"]["ipv4_address"]
    settings = (DEPLOY / "settings" / "sametime.ini").read_text()
    assert f"QUINTET_TRUSTED_PROXIES={address}\n" in settings
    assert COMPOSE["configs"]["haproxy.cfg"]["file"] == "./haproxy.cfg"
    assert {"quintet-1", "quintet-2"} <= SERVICES.keys()


def test_no_password_stands_in_the_files() -> None:
    for path in (DEPLOY / "compose.yaml", *(DEPLOY / "settings").iterdir(), *MANIFESTS):
        for line in path.read_text().splitlines():
            found = re.search(r"""(?i)password["']?\s*[=:]\s*["']?([^\s"']+)""", line)
            value = found[1] if found else "@REPLACE@"
            assert re.match(r"@\w+@|REPLACE|/run/secrets|\{file:", value), line


@pytest.mark.parametrize("service", ["quintet-1", "quintet-2"])
def test_compose_waits_until_all_connections_are_closed(service: str) -> None:
    assert int(SERVICES[service]["stop_grace_period"].removesuffix("s")) >= LEAST_GRACE


def test_the_check_of_a_container_is_a_program() -> None:
    *command, text = SERVICES["quintet-1"]["healthcheck"]["test"]
    assert command == ["CMD", "/opt/quintet/bin/python", "-c"]
    assert ast.parse(text)


# Kubernetes


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_are_valid(path: Path) -> None:
    for each in yaml.safe_load_all(path.read_text()):
        kubernetes_validate.validate(each, KUBERNETES, strict=True)
        each["metadata"]["nmae"] = "x"
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


def test_a_node_is_named_for_its_pod_and_has_time_to_drain() -> None:
    spec = pods()["quintet"]
    (container,) = spec["containers"]
    names = {each["name"]: each for each in container["env"]}
    field = names["STI__Config__QUINTET_NODE"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert field == "metadata.name"
    assert named("StatefulSet", "quintet")["spec"]["serviceName"] == "quintet-nodes"
    assert named("Service", "quintet-nodes")["spec"]["clusterIP"] == "None"
    pause = re.search(r"sleep\((\d+)\)", str(container["lifecycle"]["preStop"]))
    assert pause is not None
    assert spec["terminationGracePeriodSeconds"] >= LEAST_GRACE + int(pause[1])
    assert {each: container[each]["httpGet"]["path"] for each in container if each.endswith("Probe")} == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    assert named("PodDisruptionBudget", "quintet")["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("name", pods())
def test_pods_are_as_restricted_as_the_namespace_demands(name: str) -> None:
    spec = pods()[name]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for each in spec["containers"]:
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in each["resources"]["limits"]
    assert named("Namespace", "quintet")["metadata"]["labels"] == {
        "pod-security.kubernetes.io/enforce": "restricted"
    }


def test_databases_are_reached_by_nodes_alone() -> None:
    for name in ("valkey", "postgresql"):
        (rule,) = named("NetworkPolicy", name)["spec"]["ingress"]
        (source,) = rule["from"]
        assert source == {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "quintet"}}}


def test_every_secret_and_port_that_is_named_exists() -> None:
    secrets = {each["metadata"]["name"] for each in documents() if each["kind"] == "Secret"}
    text = "".join(path.read_text() for path in MANIFESTS)
    used = set(re.findall(r"secret(?:Name)?: \{?(?:name|secretName)?:? ?([\w-]+)", text))
    assert used - {"secretName"} <= secrets
    for name, spec in pods().items():
        ports = {port["name"] for each in spec["containers"] for port in each["ports"]}
        services = [each for each in documents() if each["kind"] == "Service"]
        for service in services:
            if service["spec"]["selector"] == {"app.kubernetes.io/name": name}:
                assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_files_that_were_not_run_say_so() -> None:
    for path in (DEPLOY / "compose.yaml", *(each for each in MANIFESTS if each.name != "secrets.yaml")):
        assert "NOT run" in path.read_text().partition("\napiVersion")[0][:900]


# The image


def test_the_image_runs_as_the_user_who_owns_its_folder() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    assert "--uid 1533 " in text
    assert "install -d -o 1533 -g 1533 -m 0700 /etc/quintet" in text
    assert text.index("install -d") < text.index("VOLUME") < text.index("ENTRYPOINT")
    assert "USER 1533" in text


@pytest.mark.real
def test_make_secrets_overwrites_nothing_and_says_how_it_is_used(tmp_path: Path) -> None:
    script = DEPLOY / "make-secrets"
    done = subprocess.run([script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "make-secrets FOLDER HOST" in done.stderr
    (tmp_path / "there").mkdir()
    done = subprocess.run([script, tmp_path / "there", "x"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert list((tmp_path / "there").iterdir()) == []
