"""The metrics of the connections to Valkey are those of the reference."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from quintet.cluster import ClusterCounts
from quintet.runtime.cluster_metrics import ClusterMetrics

ROOT = Path(__file__).parents[2]


def test_every_metric_is_in_the_reference_with_its_labels() -> None:
    registry = CollectorRegistry()
    registry.register(ClusterMetrics(ClusterCounts()))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    found = {
        each.name: (each.type, {label for sample in each.samples for label in sample.labels})
        for each in families
    }
    page = (ROOT / "docs/reference/metrics.md").read_text()
    rows = re.findall(r"^\| `(quintet_cluster_\w+)` \| (\w+) \| ([^|]*)\|", page, re.MULTILINE)
    told = {
        name.removesuffix("_total"): (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows
    }
    assert found == told
    assert len(told) == 7
