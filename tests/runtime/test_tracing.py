"""Traces: spans for requests and directory tasks, without names; nothing unless an endpoint is set."""

import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from quintet.cards.cards import Cards
from quintet.config.load import load
from quintet.directory.directory import Directory
from quintet.runtime.application import Application, _tracing
from quintet.runtime.tracing import Tracing
from quintet.web.app import make_app
from quintet.web.site import Site
from support import small
from support.folder import settings_folder
from support.serving import free_port, serve
from support.slapd import Slapd
from support.web_site import URL, post_sign_in

export = pytest.importorskip("opentelemetry.sdk.trace.export")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")

pytestmark = pytest.mark.real
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def folder(tmp_path: Path, small_slapd: Slapd) -> Path:
    return settings_folder(tmp_path / "s", small_slapd, level="all", cards_encrypted=True)


@asynccontextmanager
async def traced(folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Any]]:
    """A browser at an application that is traced, and the exporter that has the spans."""
    exporter = memory.InMemorySpanExporter()
    tracing = Tracing(export.SimpleSpanProcessor(exporter))
    settings = load(folder, {})
    async with Directory(settings, trace=tracing) as directory, Cards(settings, trace=tracing) as cards:
        app = tracing.around(make_app(Site(directory, cards, lambda: settings)))
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50_000))
        async with httpx.AsyncClient(transport=transport, base_url=URL) as browser:
            yield browser, exporter
    tracing.close()


async def test_a_request_has_a_span_and_what_the_directory_did_for_it_is_below(folder: Path) -> None:
    async with traced(folder) as (browser, exporter):
        await browser.get("/servlet/UserInfoServlet?operation=3&userId=alice")
        spans = exporter.get_finished_spans()
    (request,) = (each for each in spans if each.parent is None)
    assert request.name == "GET servlet"
    assert dict(request.attributes) == {
        "http.request.method": "GET",
        "quintet.route": "servlet",
        "http.response.status_code": 200,
    }
    (search,) = (each for each in spans if each.name == "ldap search")
    assert search.parent.span_id == request.context.span_id
    assert search.attributes["quintet.service"] == "business-card"
    assert search.attributes["quintet.server"].startswith("localhost")
    assert search.attributes["quintet.outcome"] == "ok"
    assert request.start_time <= search.start_time <= search.end_time <= request.end_time


async def test_outcomes_of_sign_ins_are_told_and_no_span_holds_a_name(folder: Path) -> None:
    async with traced(folder) as (browser, exporter):
        for password in ("alice-secret", "wrong"):
            await post_sign_in(browser, {"name": "alice", "password": password})
        await browser.get(
            "/api/v1/resolve?name=alice", headers={"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
        )
        await browser.request("ALICE", "/alice")
        spans = exporter.get_finished_spans()
    outcomes = [each.attributes["quintet.outcome"] for each in spans if each.name == "sign in"]
    assert outcomes == ["ok", "refused"]
    text = "".join(each.to_json() for each in spans).casefold()
    for secret in ("alice", "secret", "wrong", small.BASE, "1" * 32):
        assert secret not in text


async def test_without_an_endpoint_nothing_of_it_is_there(folder: Path) -> None:
    async with Application(folder, {}) as application:
        listeners = list(application.listeners)
        for environ in ({}, {ENDPOINT: ""}, {ENDPOINT: "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}):
            async with _tracing(application, environ) as tracing:
                assert tracing is None
                assert application.listeners == listeners


async def test_an_extra_that_is_missing_is_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    async with Application(folder, {}) as application:
        with capture_logs() as log:
            async with _tracing(application, {ENDPOINT: "http://127.0.0.1:1"}) as tracing:
                assert tracing is None
    assert [each["log_level"] for each in log] == ["warning"]


@dataclass(slots=True)
class Collector:
    url: str
    received: list[tuple[str, bytes]] = field(default_factory=list)


@contextmanager
def collector() -> Iterator[Collector]:
    """A server that takes traces."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.received.append((self.path, body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def test_serve_sends_traces_to_the_endpoint_before_it_ends(folder: Path) -> None:
    with collector() as found:
        environ = {
            "STI__Config__QUINTET_HTTP_PORT": str(free_port()),
            ENDPOINT: found.url,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        }
        with serve(folder, **environ) as told:
            httpx.get(f"{told['http']}/servlet/UserInfoServlet?operation=3&userId=alice")
    assert {path for path, _ in found.received} == {"/v1/traces"}
    sent = b"".join(body for _, body in found.received)
    assert b"GET servlet" in sent
    assert b"quintet" in sent
    assert b"alice" not in sent
