"""Metrics, and whether the server is alive and ready, for monitoring (Prometheus' text format).

Every label has a closed set of values: no names of people, hosts or entries. The port is its own, at the
loopback address unless the administrator opens it.
"""

import enum
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import accumulate
from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from quintet.directory import (
    ConnectionEvent,
    ConnectionState,
    ConnectionStatus,
    Event,
    Service,
    SignedIn,
    SignInsBlocked,
)
from quintet.ldap import (
    ConnectionFailed,
    ConnectionGone,
    ConnectionOpened,
    OperationEnded,
    OperationRepeated,
    PoolEvent,
)
from quintet.web.sessions import SessionStore

CARDS = Service.BUSINESS_CARD.value
SERVICES = tuple(each.value for each in Service)
ROUTES = ("servlet", "photos", "stwebapi", "api", "pages")
METHODS = ("GET", "HEAD", "POST", "DELETE")

_OPERATIONS = ("search", "bind", "compare", "extended")
_OUTCOMES = ("ok", "refused", "unreachable")
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_OTHER = "other"

Rows = Callable[[], Iterable[ConnectionStatus]]


class Phase(enum.Enum):
    """What the process is doing."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


@final
class Metrics:
    """The counters: a `Trace` for the directory and the cards. `rows` returns the state of connections.

    `parts` has what else may be away: by its name, a function that says what is wrong, or nothing. Without
    the parts of `vital` the server is never ready.
    """

    def __init__(self, rows: Rows, sessions: SessionStore) -> None:
        self.registry = CollectorRegistry()
        self.phase = Phase.STARTING
        self.rows = rows
        self.parts: dict[str, Callable[[], str]] = {}
        self.vital: set[str] = set()

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"quintet_{name}", meaning, labels, registry=self.registry)

        def histogram(name: str, meaning: str, *labels: str) -> Histogram:
            return Histogram(f"quintet_{name}", meaning, labels, registry=self.registry, buckets=_BUCKETS)

        self._operations = counter(
            "ldap_operations", "LDAP operations that ended.", "service", "operation", "outcome"
        )
        self._operation_seconds = histogram(
            "ldap_operation_seconds", "Seconds of an LDAP operation.", "service", "operation"
        )
        self._repeated = counter("ldap_operations_repeated", "LDAP operations that were repeated.", "service")
        self._connects = counter(
            "ldap_connects", "Attempts to open an LDAP connection.", "service", "outcome"
        )
        self._connect_seconds = histogram(
            "ldap_connect_seconds", "Seconds to connect, TLS and bind included.", "service"
        )
        self._reconnects = counter(
            "ldap_reconnects", "Connections that took the place of broken ones.", "service"
        )
        self._gone = counter("ldap_disconnects", "LDAP connections that ended.", "service", "reason")
        self._sign_ins = counter("sign_ins", "Attempts to sign in.", "outcome")
        self._sign_in_seconds = histogram("sign_in_seconds", "Seconds of an attempt to sign in.")
        self._blocks = counter(
            "sign_in_blocks", "Times that sign-ins were blocked after too many failures.", "scope"
        )
        self._requests = _Requests()
        self.registry.register(self._requests)
        self.observe = self._requests.observe
        """Count an HTTP request that was answered."""
        Gauge("quintet_web_sessions", "Sessions of browsers.", registry=self.registry).set_function(
            lambda: len(sessions)
        )
        Gauge(
            "quintet_info", "Always 1; the version is a label.", ("version",), registry=self.registry
        ).labels(version("quintet")).set(1)
        self.registry.register(_Connections(self))

    def __call__(self, event: Event) -> None:
        match event:
            case ConnectionEvent(service, _, happened):
                self._count(service.value, happened)
            case SignedIn():
                self._sign_ins.labels(_one_of(event.outcome, _OUTCOMES)).inc()
                self._sign_in_seconds.observe(event.seconds)
            case SignInsBlocked():
                self._blocks.labels(event.scope).inc()
            case _:
                pass

    def _count(self, service: str, event: PoolEvent) -> None:
        match event:
            case OperationEnded(name, outcome, seconds):
                operation = _one_of(name, _OPERATIONS)
                self._operations.labels(service, operation, "ok" if outcome == "ok" else "error").inc()
                self._operation_seconds.labels(service, operation).observe(seconds)
            case ConnectionOpened():
                self._connects.labels(service, "ok").inc()
                self._connect_seconds.labels(service).observe(event.seconds)
                self._reconnects.labels(service).inc(event.reconnect)
            case ConnectionFailed():
                self._connects.labels(service, "error").inc()
            case ConnectionGone():
                self._gone.labels(service, event.reason.value).inc()
            case OperationRepeated():
                self._repeated.labels(service).inc()
            case _:
                pass

    def is_ready(self) -> None:
        """Requests are served from now on."""
        self.phase = Phase.READY

    def is_stopping(self) -> None:
        """No new requests are wanted from now on."""
        self.phase = Phase.DRAINING

    @property
    def part_names(self) -> tuple[str, ...]:
        """Everything that may be away."""
        return ("directory", "cards", *self.parts)

    def degraded(self) -> dict[str, str]:
        """The parts that are away, and what is wrong with each."""
        failed = dict.fromkeys(row.service.value for row in self.rows() if row.failed)
        services = {
            "directory": [each for each in failed if each != CARDS],
            "cards": [CARDS] * (CARDS in failed),
        }
        found = {part: f"no connection for {', '.join(names)}" for part, names in services.items() if names}
        return found | {part: trouble for part, check in self.parts.items() if (trouble := check())}


@final
class _Connections(Collector):
    """What is counted when it is asked for: the connections as they are now."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        rows = list(self._metrics.rows())
        by_service = {name: [row for row in rows if row.service.value == name] for name in SERVICES}
        count = GaugeMetricFamily(
            "quintet_ldap_connections", "LDAP connections.", labels=("service", "encrypted", "state")
        )
        flight = GaugeMetricFamily(
            "quintet_ldap_in_flight", "LDAP operations that wait for an answer.", labels=("service",)
        )
        expiry = GaugeMetricFamily(
            "quintet_ldap_certificate_expiry_timestamp_seconds",
            "When the first of the servers' certificates expires, in Unix time.",
            labels=("service",),
        )
        for service, found in by_service.items():
            for encrypted in (True, False):
                for state in ConnectionState:
                    number = sum(row.state is state and row.encrypted is encrypted for row in found)
                    if number:
                        count.add_metric((service, "yes" if encrypted else "no", state.name.lower()), number)
            flight.add_metric((service,), sum(row.in_flight for row in found))
            ends = [_timestamp(row.certificate.expires) for row in found if row.certificate]
            if ends:
                expiry.add_metric((service,), min(ends))
        degraded = GaugeMetricFamily("quintet_degraded", "1 where a part is away.", labels=("part",))
        away = self._metrics.degraded()
        for part in self._metrics.part_names:
            degraded.add_metric((part,), float(part in away))
        ready = GaugeMetricFamily("quintet_ready", "1 when requests are served, 0 at start and end.")
        ready.add_metric((), float(self._metrics.phase is Phase.READY))
        yield from (count, flight, expiry, degraded, ready)


@final
class _Requests(Collector):
    """HTTP requests, counted in numbers alone, since each costs time: the library's counters have locks."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str, int], list[float]] = {}
        """By route, method and hundreds of the status: how many were as fast as each bucket and no faster,
        how many were slower than all, and the seconds of all together."""

    def observe(self, path: str, method: str, status: int, seconds: float) -> None:
        labels = (route_of(path), method if method in METHODS else _OTHER, status // 100)
        times = self._times.get(labels)
        if times is None:
            times = self._times[labels] = [0.0] * (len(_BUCKETS) + 2)
        times[bisect_left(_BUCKETS, seconds)] += 1
        times[-1] += seconds

    def collect(self) -> Iterator[Metric]:
        count = CounterMetricFamily(
            "quintet_http_requests", "HTTP requests.", labels=("route", "method", "status")
        )
        time = HistogramMetricFamily(
            "quintet_http_request_seconds", "Seconds of an HTTP request.", labels=("route",)
        )
        routes: dict[str, list[float]] = {}
        for (route, method, hundreds), times in self._times.items():
            count.add_metric((route, method, f"{hundreds}xx"), sum(times[:-1]))
            before = routes.get(route, [0.0] * len(times))
            routes[route] = [one + other for one, other in zip(before, times, strict=True)]
        limits = [*map(floatToGoString, _BUCKETS), "+Inf"]
        for route, (*numbers, seconds) in routes.items():
            time.add_metric((route,), [*zip(limits, accumulate(numbers), strict=True)], seconds)
        yield from (count, time)


def make_monitoring_app(metrics: Metrics, needs: Callable[[], tuple[str, ...]]) -> ASGIApp:
    """`/metrics`, `/livez` and `/readyz`. `needs` are the parts without which the server is not ready."""

    async def exposition(request: Request) -> Response:
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), headers={"content-type": kind})

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(request: Request) -> Response:
        away = metrics.degraded()
        missing = [part for part in (*needs(), *metrics.vital) if part in away]
        is_ready = metrics.phase is Phase.READY and not missing
        lines = [f"{_mark(metrics.phase is Phase.READY)} {metrics.phase.value}"]
        lines += (
            f"{_mark(part not in away)} {part}" + (f" degraded: {away[part]}" if part in away else "")
            for part in metrics.part_names
        )
        summary = "ok" if is_ready else "not ready"
        body = "\n".join([*lines, summary]) if "verbose" in request.query_params or not is_ready else summary
        return PlainTextResponse(f"{body}\n", 200 if is_ready else 503, {"cache-control": "no-store"})

    routes = (("/metrics", exposition), ("/livez", alive), ("/readyz", ready))
    return Starlette(routes=[Route(path, endpoint, methods=["GET"]) for path, endpoint in routes])


def route_of(path: str) -> str:
    """The part of the front that a path belongs to."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return first if first in ROUTES else "pages"


def _mark(good: bool) -> str:
    return "[+]" if good else "[-]"


def _one_of(value: str, known: tuple[str, ...]) -> str:
    return value if value in known else _OTHER


def _timestamp(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
