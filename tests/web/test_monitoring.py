"""Metrics and health checks."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from quintet.config.load import load
from quintet.directory import (
    ConnectionEvent,
    ConnectionState,
    Directory,
    Event,
    Service,
    SignedIn,
    SignInsBlocked,
)
from quintet.ldap import Address
from quintet.ldap.errors import ConnectError
from quintet.ldap.pool_config import (
    ConnectionFailed,
    ConnectionGone,
    ConnectionOpened,
    GoneReason,
    OperationEnded,
    OperationRepeated,
)
from quintet.web.activity import Activity, lines
from quintet.web.monitoring import METHODS, ROUTES, SERVICES, Metrics, Phase, make_monitoring_app
from quintet.web.sessions import Sessions
from support import small
from support.directories import until
from support.folder import settings_folder
from support.slapd import Slapd

ROOT = Path(__file__).parent.parent.parent
PROMTOOL = shutil.which("promtool") or "promtool"


def client(metrics: Metrics, *needs: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(make_monitoring_app(metrics, lambda: needs))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def fed(metrics: Metrics) -> Metrics:
    """Every kind of event once, with values that no set knows among them."""
    host = Address("10.1.1.1", 636)
    for service in Service:
        for event in (
            OperationEnded("search", "ok", 0.01),
            OperationEnded("cn=x", "TimedOut", 1.0),
            ConnectionOpened(host, encrypted=True, prepared=None, seconds=0.1, reconnect=True),
            ConnectionFailed(host, ConnectError("refused"), 1.0),
            ConnectionGone(host, GoneReason.LOST),
            OperationRepeated("search", "cn=x"),
        ):
            metrics(ConnectionEvent(service, "dir.example.com", event))
    metrics(SignedIn("refused", "cn=x", 0.2))
    metrics(SignInsBlocked("name", "", 60.0))
    metrics.observe("/servlet/UserInfoServlet", "GET", 200, 0.01)
    metrics.observe("/secret-page/alice", "BREW", 404, 0.01)
    return metrics


async def exposition(metrics: Metrics) -> str:
    async with client(metrics) as asked:
        return (await asked.get("/metrics")).text


@pytest.fixture
async def metrics(tmp_path: Path, small_slapd: Slapd) -> AsyncIterator[Metrics]:
    """Those of an encrypted directory that is connected."""
    folder = settings_folder(tmp_path / "s", small_slapd)
    async with Directory(load(folder, {})) as directory:
        metrics = Metrics(directory.status, Sessions())
        await directory.connect_all()
        yield fed(metrics)


@pytest.mark.real
async def test_promtool_accepts_the_metrics(metrics: Metrics) -> None:
    text = await exposition(metrics)
    checked = await asyncio.create_subprocess_exec(
        *(PROMTOOL, "check", "metrics"),
        stdin=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
    )
    said, _ = await checked.communicate(text.encode())
    assert (checked.returncode, said) == (0, b"")


@pytest.mark.real
async def test_every_metric_is_in_the_reference_with_its_labels_and_none_is_missing(metrics: Metrics) -> None:
    page = (ROOT / "docs/reference/metrics.md").read_text()
    rows = re.findall(r"^\| `(quintet_\w+)` \| (\w+) \| ([^|]*)\|", page, re.MULTILINE)
    told = {
        name.removesuffix("_total"): (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows
    }
    found = {
        family.name: (
            family.type,
            {label for sample in family.samples for label in sample.labels if label != "le"},
        )
        for family in text_string_to_metric_families(await exposition(metrics))
        if not family.name.endswith("_created")
    }
    of_others = ("quintet_sametime_", "quintet_cluster_")
    assert found == {name: each for name, each in told.items() if not name.startswith(of_others)}


@pytest.mark.real
async def test_no_label_holds_what_is_in_no_closed_set(metrics: Metrics) -> None:
    text = await exposition(metrics)
    for secret in ("cn=", "dir.example", "10.1.1.1", "alice", "secret-page", "BREW", small.BASE):
        assert secret not in text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels.get("service", "other") in (*SERVICES, "other")
            assert sample.labels.get("route", "servlet") in ROUTES
            assert sample.labels.get("method", "other") in (*METHODS, "other")


@pytest.mark.real
async def test_a_certificates_end_is_told_for_every_encrypted_service(metrics: Metrics) -> None:
    families = {each.name: each for each in text_string_to_metric_families(await exposition(metrics))}
    ends = families["quintet_ldap_certificate_expiry_timestamp_seconds"].samples
    assert len(ends) == 5
    assert all(each.value > 1.7e9 for each in ends)


async def test_ready_is_red_at_the_start_and_at_the_end() -> None:
    metrics = Metrics(tuple, Sessions())
    async with client(metrics) as asked:
        for phase, status in ((Phase.STARTING, 503), (Phase.READY, 200), (Phase.DRAINING, 503)):
            metrics.phase = phase
            assert (await asked.get("/readyz")).status_code == status
            assert (await asked.get("/livez")).status_code == 200


@pytest.mark.real
async def test_a_directory_that_is_away_is_degraded_and_red_only_if_it_is_needed(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    server = make_slapd()
    folder = settings_folder(tmp_path / "s", server)
    async with Directory(load(folder, {})) as directory:
        metrics = Metrics(directory.status, Sessions())
        metrics.phase = Phase.READY
        await directory.connect_all()
        async with client(metrics) as asked, client(metrics, "directory") as strict:
            assert (await strict.get("/readyz?verbose")).status_code == 200
            server.kill()
            await until(lambda: all(row.state is not ConnectionState.CONNECTED for row in directory.status()))
            await directory.connect_all()
            degraded = await asked.get("/readyz?verbose")
            assert degraded.status_code == 200
            assert "[-] directory degraded: no connection for authenticate" in degraded.text
            assert (await strict.get("/readyz")).status_code == 503
            assert 'quintet_degraded{part="directory"} 1.0' in await exposition(metrics)
            server.restart()
            await directory.connect_all()
            assert (await strict.get("/readyz")).status_code == 200


@pytest.mark.real
async def test_a_reconnect_counts_once_however_many_connections_its_pool_has(
    tmp_path: Path, make_slapd: Callable[..., Slapd]
) -> None:
    server = make_slapd()
    folder = settings_folder(tmp_path / "s", server)
    opened: list[bool] = []
    activity = Activity()

    def trace(event: Event) -> None:
        for each in (metrics, activity):
            each(event)
        if isinstance(event, ConnectionEvent) and isinstance(event.event, ConnectionOpened):
            opened.append(event.event.reconnect)

    directory = Directory(load(folder, {}), trace=trace)
    metrics = Metrics(directory.status, Sessions())
    async with directory:
        await directory.connect_all()
        assert opened == [False] * 5
        server.kill()
        await until(lambda: all(row.state is not ConnectionState.CONNECTED for row in directory.status()))
        server.restart()
        await directory.connect_all()
        await asyncio.gather(*(directory.authenticate("alice", "alice-secret") for _ in range(40)))
        assert len(directory.status()) > 5, "a pool has grown"
        families = {each.name: each for each in text_string_to_metric_families(await exposition(metrics))}
        counted = families["quintet_ldap_reconnects"].samples
        assert [each.value for each in counted if each.name.endswith("_total")] == [1.0] * 5
        assert opened.count(True) == 5
        shown = lines(directory.status(), activity)
        assert [each.rate.reconnects for each in shown] == [1] * 5


def test_promtool_accepts_the_alerts() -> None:
    rules = ROOT / "deploy/prometheus-rules.yml"
    checked = subprocess.run([PROMTOOL, "check", "rules", rules], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def metrics_of(file: str) -> set[str]:
    """The metrics that a file in deploy/ names."""
    found = re.findall(r"\bquintet_[a-z_]+", (ROOT / "deploy" / file).read_text())
    return {each.removesuffix("_bucket") for each in found}


def metrics_of_the_reference() -> set[str]:
    page = (ROOT / "docs/reference/metrics.md").read_text()
    return set(re.findall(r"^\| `(quintet_\w+)`", page, re.MULTILINE))


def test_alerts_use_metrics_of_the_reference_alone() -> None:
    assert metrics_of("prometheus-rules.yml")
    assert metrics_of("prometheus-rules.yml") <= metrics_of_the_reference()


def test_the_dashboard_shows_every_metric_of_the_reference_and_no_other() -> None:
    assert metrics_of("grafana-dashboard.json") == metrics_of_the_reference()


def test_the_panels_of_the_dashboard_have_their_own_places() -> None:
    panels = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())["panels"]
    places = {(each["gridPos"]["x"], each["gridPos"]["y"]) for each in panels}
    assert len({each["id"] for each in panels}) == len(places) == len(panels) >= 10
