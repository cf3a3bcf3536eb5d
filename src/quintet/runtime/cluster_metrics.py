"""Metrics of the connections to Valkey. Every label has a closed set of values."""

from collections.abc import Iterator
from typing import final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from quintet.cluster import CallFailure, ClusterCounts, Ignored


@final
class ClusterMetrics(Collector):
    """What was counted, when it is asked for."""

    def __init__(self, counts: ClusterCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        up = "1 while the connections to Valkey are up."
        yield GaugeMetricFamily("quintet_cluster_up", up, value=int(counts.up))
        for name, help_text, value in (
            ("connects", "Times that the connections to Valkey came up.", counts.connects),
            ("losses", "Times that they were lost.", counts.losses),
            ("calls", "Scripts that were asked for.", counts.calls),
            ("round_trips", "Pipelines in which they were sent.", counts.round_trips),
        ):
            yield CounterMetricFamily(f"quintet_cluster_{name}", help_text, value=value)
        failures = CounterMetricFamily(
            "quintet_cluster_failures", "Scripts without an answer.", labels=("cause",)
        )
        for failure in CallFailure:
            failures.add_metric((failure.name.lower(),), counts.failures[failure])
        yield failures
        ignored = CounterMetricFamily(
            "quintet_cluster_ignored", "Values in Valkey that were not used.", labels=("cause",)
        )
        for reason in Ignored:
            ignored.add_metric((reason.value,), counts.ignored[reason])
        yield ignored
