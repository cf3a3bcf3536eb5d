"""Every fuzzing target runs here on its seeds and some hundred inputs; the command does what it says."""

import subprocess
import sys
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from fuzz import campaign, target
from fuzz.target import SlowInputError, Target, nothing_more
from fuzz.targets import ALL, HOMES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quintet.ldap import _fast_codec
from quintet.ldap.messages import SearchResultEntry
from quintet.sametime.handlers.aware import AwareHandler

ROOT = Path(__file__).parent.parent
NAMES = sorted(ALL)
READ_ONLY = {name for name, each in ALL.items() if each.check is nothing_more}
SOME_HUNDRED = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def refusing(data: bytes) -> bytes:
    if data == b"no":
        raise KeyError(data)
    if data == b"broken":
        raise IndexError(data)
    return data


def checking(data: bytes) -> None:
    if data == b"wrong":
        raise KeyError(data)


SAMPLE = Target("sample", "a target for tests", refusing, (KeyError,), checking, lambda: [b"yes", b"no"])


@pytest.fixture(scope="module", params=NAMES)
def chosen(request: pytest.FixtureRequest) -> tuple[Target, list[bytes]]:
    found = ALL[request.param]
    return found, list(found.seeds())


def test_every_seed_is_accepted_or_refused(chosen: tuple[Target, list[bytes]]) -> None:
    """And some are accepted, else a fuzzer would begin with nothing."""
    found, seeds = chosen
    accepted = [found.run(each) for each in seeds]
    assert any(accepted) or found.name in READ_ONLY
    assert max(map(len, seeds)) <= found.longest


def test_every_beginning_of_a_seed_is_accepted_or_refused(chosen: tuple[Target, list[bytes]]) -> None:
    found, seeds = chosen
    for each in seeds[:20]:
        for size in range(0, len(each), max(1, len(each) // 20)):
            assert isinstance(found.run(each[:size]), bool)


@SOME_HUNDRED
@given(data=st.data())
def test_every_input_is_accepted_or_refused(chosen: tuple[Target, list[bytes]], data: st.DataObject) -> None:
    """Any bytes, and pieces of two seeds with some damage between them."""
    found, seeds = chosen
    damage = data.draw(st.binary(max_size=40))
    one, other = data.draw(st.sampled_from([b"", *seeds])), data.draw(st.sampled_from([b"", *seeds]))
    start, end = data.draw(st.integers(0, len(one))), data.draw(st.integers(0, len(other)))
    assert isinstance(found.run((one[:start] + damage + other[end:])[: found.longest]), bool)


def test_only_documented_exceptions_of_reading_are_refusals() -> None:
    assert SAMPLE.run(b"yes")
    assert not SAMPLE.run(b"no")
    with pytest.raises(IndexError):
        SAMPLE.run(b"broken")
    with pytest.raises(KeyError):
        SAMPLE.run(b"wrong")


def test_an_input_that_costs_too_much_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = count(0, 2)
    monkeypatch.setattr(target, "time", SimpleNamespace(process_time=lambda: float(next(ticks))))
    with pytest.raises(SlowInputError):
        SAMPLE.run(b"yes")


# The command


def fuzz(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fuzz", *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_the_targets_are_listed() -> None:
    shown = fuzz("--list")
    assert shown.returncode == 0
    assert [line.split()[0] for line in shown.stdout.splitlines()] == list(ALL)


@pytest.mark.parametrize(("data", "answer"), [(b"(cn=a)", "accepted\n"), (b"(cn=a", "refused\n")])
def test_an_input_is_replayed(tmp_path: Path, data: bytes, answer: str) -> None:
    file = tmp_path / "input"
    file.write_bytes(data)
    shown = fuzz("filters", "--replay", file)
    assert (shown.returncode, shown.stdout) == (0, answer)


@pytest.mark.parametrize("arguments", [["nothing"], ["--replay", "x"], ["--seconds", "0"]])
def test_wrong_arguments_are_usage_errors(arguments: list[str]) -> None:
    assert fuzz(*arguments).returncode == 2


def test_success_means_that_every_target_ran(tmp_path: Path) -> None:
    """Without atheris none can, and that is no success."""
    shown = fuzz("filters", "--seconds", "1", "--output", tmp_path)
    assert shown.returncode == (0 if find_spec("atheris") else 2)
    assert list((tmp_path / "filters" / "seeds").iterdir())
    assert (tmp_path / "filters" / "log").read_text()


def fake_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str) -> campaign.Outcome:
    """What is made of a process that runs `program` in the place of the worker."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\nimport sys\n{program}")
    script.chmod(0o755)
    monkeypatch.setattr(campaign, "sys", SimpleNamespace(executable=str(script)))
    monkeypatch.setitem(HOMES, SAMPLE.name, "none")
    return campaign.fuzz(SAMPLE, 1, tmp_path / "out")


def test_what_the_fuzzer_counted_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    status = (
        "#2 INITED cov: 3 ft: 4 corp: 1/1b\n"
        "#900 DONE   cov: 30 ft: 40 corp: 5/90b lim: 4 exec/s: 0 rss: 87Mb\n"
        "Done 905 runs in 7 second(s)\nstat::number_of_executed_units: 905\n"
    )
    found = fake_worker(monkeypatch, tmp_path, f"print({status!r})")
    assert (found.executions, found.edges, found.features, found.inputs) == (905, 30, 40, 5)
    assert (found.seconds, found.crashes, found.ran) == (7, (), True)


def test_a_crash_is_kept_and_earlier_ones_are_not_counted_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    crashing = (
        "(prefix,) = (a.partition('=')[2] for a in sys.argv if a.startswith('-artifact_prefix'))\n"
        "open(prefix + 'crash-1', 'wb').write(b'x')\nsys.exit(77)"
    )
    first = fake_worker(monkeypatch, tmp_path, crashing)
    assert [each.read_bytes() for each in first.crashes] == [b"x"]
    assert first.ran
    second = fake_worker(monkeypatch, tmp_path, "sys.exit(1)")
    assert (second.crashes, second.ran) == ((), False)


@pytest.mark.parametrize("bound", ["-max_total_time=1", "-max_len=4096", "-rss_limit_mb=", "-timeout="])
def test_time_size_and_memory_are_bounded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bound: str
) -> None:
    found = fake_worker(monkeypatch, tmp_path, "print(*sys.argv, sep='\\n')")
    assert any(option.startswith(bound) for option in found.log.read_text().splitlines())


# That a fault is found


def run_seeds(name: str) -> None:
    for each in ALL[name].seeds():
        ALL[name].run(each)


def test_a_fault_in_a_service_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def receive(*_: object) -> None:
        raise IndexError

    monkeypatch.setattr(AwareHandler, "receive", receive)
    with pytest.raises(AssertionError):
        run_seeds("sametime-server")


@pytest.mark.parametrize("name", ["ber", "ldap-session"])
def test_two_decoders_that_disagree_are_a_finding(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(_fast_codec, "read_entry", lambda *_: SearchResultEntry("cn=other", {}))
    with pytest.raises(AssertionError):
        run_seeds(name)
