"""Metrics of the Sametime port. Every label has a closed set of values."""

from collections import Counter
from collections.abc import Iterator
from typing import final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from quintet.sametime.serving import (
    ClientSignedIn,
    ClientType,
    ConnectionTurnedAway,
    ReasonCode,
    SametimeServer,
    SametimeTraceEvent,
    ServiceId,
    ServiceRefused,
    SignInRefused,
    SlowReader,
    StorageState,
    TaskFailed,
    TurnedAway,
    ValueSaved,
)
from quintet.sametime.storage import SaveOutcome

_OTHER = "other"
_CLIENTS = frozenset(each.name.lower() for each in ClientType)
_REASONS = frozenset(each.name.lower() for each in ReasonCode)
_OUTCOMES = frozenset(each.value for each in SaveOutcome)
_SERVICES = frozenset({"announce", *(each.name.lower() for each in ServiceId)})


@final
class SametimeMetrics(Collector):
    """What a server has counted, and its state when it is asked for."""

    def __init__(self, server: SametimeServer) -> None:
        self._server = server

    def collect(self) -> Iterator[Metric]:
        server = self._server
        sessions = GaugeMetricFamily(
            "quintet_sametime_sessions", "Sessions of Sametime clients.", labels=("client", "encryption")
        )
        rows = Counter(
            (_client(each.client_type), "tls" if each.tls else "none") for each in server.sessions()
        )
        for key in sorted(rows):
            sessions.add_metric(key, rows[key])
        sign_ins = CounterMetricFamily(
            "quintet_sametime_sign_ins", "Sign-ins of Sametime clients.", labels=("outcome",)
        )
        sign_ins.add_metric(("ok",), self._count(ClientSignedIn))
        refused = self._by(SignInRefused, "reason", _REASONS)
        for reason in sorted(refused):
            sign_ins.add_metric((reason,), refused[reason])
        away = CounterMetricFamily(
            "quintet_sametime_turned_away", "Connections on which no user signed in.", labels=("cause",)
        )
        for cause in TurnedAway:
            away.add_metric(
                (cause.name.lower(),), server.counter.count(ConnectionTurnedAway, cause=cause.name)
            )
        services = CounterMetricFamily(
            "quintet_sametime_services_refused",
            "Requests for services that are refused.",
            labels=("service",),
        )
        by_service = self._by(ServiceRefused, "service", _SERVICES)
        for service in sorted(by_service):
            services.add_metric((service,), by_service[service])
        saves = CounterMetricFamily(
            "quintet_sametime_values_saved",
            "Values that clients saved. Merged, replaced: conflicts of two sessions. Other: refused.",
            labels=("outcome",),
        )
        by_outcome = self._by(ValueSaved, "outcome", _OUTCOMES)
        for outcome in sorted(by_outcome):
            saves.add_metric((outcome,), by_outcome[outcome])
        yield from (sessions, sign_ins, away, services, saves)
        yield CounterMetricFamily(
            "quintet_sametime_messages", "Messages passed on between clients.", server.messages
        )
        yield CounterMetricFamily(
            "quintet_sametime_slow_readers",
            "Clients cut off since they do not read.",
            self._count(SlowReader),
        )
        yield CounterMetricFamily(
            "quintet_sametime_faults", "Requests that failed by a fault in Quintet.", self._count(TaskFailed)
        )
        yield GaugeMetricFamily(
            "quintet_sametime_database_available",
            "1 while the database of contact lists answers.",
            float(server.database_state is not StorageState.UNAVAILABLE),
        )
        yield GaugeMetricFamily(
            "quintet_sametime_database_writable",
            "1 while contact lists can be saved.",
            float(server.database_state is StorageState.AVAILABLE),
        )

    def _count(self, kind: type[SametimeTraceEvent]) -> int:
        return self._server.counter.count(kind)

    def _by(self, kind: type[SametimeTraceEvent], field: str, known: frozenset[str]) -> Counter[str]:
        """The events of a kind by a field, whose values count as other unless they are known."""
        found: Counter[str] = Counter()
        for (name, *labels), number in self._server.counter.counts.items():
            if name == kind.__name__:
                values = (each.partition("=")[2] for each in labels if each.startswith(f"{field}="))
                found[_one_of(next(values, ""), known)] += number
        return found


def _client(client_type: str) -> str:
    """`CONNECT (0x1002)` as `connect`; what a client makes up as `other`."""
    return _one_of(client_type.partition(" ")[0], _CLIENTS)


def _one_of(value: str, known: frozenset[str]) -> str:
    return value.lower() if value.lower() in known else _OTHER
