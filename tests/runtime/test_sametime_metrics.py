"""The metrics of the Sametime port: all of them in the reference, with labels of closed sets."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from quintet.runtime.sametime_metrics import SametimeMetrics
from quintet.sametime.serving import ClientSignedIn, ServiceRefused, SignInRefused, ValueSaved
from support.community_directory import FakeDirectory
from support.pages import ROOT
from support.sametime_server import running, signed_in


async def test_every_metric_is_in_the_reference_and_no_label_is_made_up_by_clients(tmp_path: Path) -> None:
    async with running(FakeDirectory.of("alice"), tmp_path) as server:
        alice = await signed_in(server, "alice")
        server.tell(SignInRefused("INCORRECT_LOGIN", "0x9999", "RC2_128", "10.1.1.1", "why"))
        server.tell(ServiceRefused("made up", "0x9999", "x"))
        server.tell(ValueSaved(0, "merged"))
        server.tell(ValueSaved(0, "STORAGE-VALUES"))
        server.tell(ClientSignedIn("evil client", "RC2_128", None, "10.1.1.1", 0.1))
        registry = CollectorRegistry()
        registry.register(SametimeMetrics(server))
        families = list(text_string_to_metric_families(generate_latest(registry).decode()))
        await alice.close()
    page = (ROOT / "docs/reference/metrics.md").read_text()
    rows = re.findall(r"^\| `(quintet_sametime_\w+)` \| (\w+) \| ([^|]*)\|", page, re.MULTILINE)
    told = {
        name.removesuffix("_total"): (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows
    }
    assert {
        each.name: (each.type, {label for sample in each.samples for label in sample.labels})
        for each in families
    } == told
    by_name = {each.name: each for each in families}
    sign_ins = {each.labels["outcome"]: each.value for each in by_name["quintet_sametime_sign_ins"].samples}
    assert sign_ins == {"ok": 2, "incorrect_login": 1}
    (refused,) = by_name["quintet_sametime_services_refused"].samples
    assert refused.labels == {"service": "other"}
    (session,) = by_name["quintet_sametime_sessions"].samples
    assert (session.labels["encryption"], session.value) == ("none", 1)
