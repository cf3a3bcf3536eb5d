"""The tables of `script/bench --sametime`, in Markdown. It uses the standard library alone."""

import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from figures import number, table

_MARKED = re.compile(r"(?<=<!-- sametime figures -->\n).*?(?=<!-- end of sametime figures -->)", re.DOTALL)
_TLS, _CLEAR, _NOTHING = "TLS clients, LDAPS", "unencrypted clients, LDAPS", "unencrypted clients, LDAP"
_KIB = 1024
_BACK_WITHIN = 180.0
_EVERYBODY = 10_000

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table of goals."""

    measure: str
    quintet: str
    ejabberd: str
    ratio: float | None
    goal: str
    met: bool | None

    @property
    def cells(self) -> tuple[str, ...]:
        verdict = "" if self.met is None else " (met)" if self.met else " (missed)"
        ratio = "" if self.ratio is None else number(self.ratio)
        return self.measure, self.quintet, self.ejabberd, ratio, self.goal + verdict


def fill(readme: str, result: Row) -> str:
    """The README with `results-sametime.json`'s figures between its markers. Raises ValueError without."""
    if not _MARKED.search(readme):
        raise ValueError("the README has no <!-- sametime figures --> and <!-- end of sametime figures -->")
    return _MARKED.sub(lambda _: f"\n{section(result)}\n\n", readme)


def section(result: Row) -> str:
    """The goals, what one operation costs, and how it was measured."""
    return "\n\n".join((_goals(result), _costs(result), _explanation(result)))


def goals(result: Row) -> list[Line]:
    """Every measure of the comparison, with its goal."""
    signs = _sign_ins(result)
    lines = [
        _rate("sign-ins to first presence, TLS clients, LDAPS", signs[_TLS], 1.0),
        _less_cpu("the same: CPU of the server", signs[_TLS]),
        _rate("sign-ins, unencrypted clients, LDAPS", signs[_CLEAR], 0.6),
        _ldap(signs),
        _storm(result),
    ]
    for way, label, wanted in ((_CLEAR, "unencrypted", 57), (_TLS, "over TLS", 85)):
        ours, theirs = _sessions(result, way)
        lines += [
            _memory(f"memory of a session that watches 20, {label}", ours, theirs, wanted),
            _growth(f"growth from the first pass of changes to the last, {label}", ours, theirs),
            _presence(f"presence until the last of 100 watchers has it, {label}", ours, theirs),
            _messages(
                f"messages between pairs, one at a time, {label}", ours["messages_1"], theirs["messages_1"]
            ),
            _messages(
                f"messages between pairs, ten at a time, {label}", ours["messages_10"], theirs["messages_10"]
            ),
        ]
    return lines


def _goals(result: Row) -> str:
    headings = ("measure", "Quintet", "ejabberd", "ratio", "goal")
    return table(headings, (line.cells for line in goals(result)))


def _sign_ins(result: Row) -> dict[str, tuple[list[Row], list[Row]]]:
    """For each way the rows of both servers, by round."""

    def of(server: str, way: str) -> list[Row]:
        rows = (row for row in result["sign_ins"] if (row["server"], row["way"]) == (server, way))
        return sorted(rows, key=lambda row: int(row["round"]))

    return {way: (of("quintet", way), of("ejabberd", way)) for way in (_TLS, _CLEAR, _NOTHING)}


def _sessions(result: Row, way: str) -> tuple[Row, Row]:
    rows = {row["server"]: row for row in result["sessions"] if row["way"] == way}
    return rows["quintet"], rows["ejabberd"]


def _median(rows: Iterable[Row], column: str) -> float:
    return statistics.median(float(row[column]) for row in rows)


def _ratio(some: Iterable[Row], others: Iterable[Row], column: str) -> float:
    pairs = zip(some, others, strict=True)
    return statistics.median(float(one[column]) / float(other[column]) for one, other in pairs)


def _rate_and_cpu(rows: list[Row]) -> str:
    rate, cpu = _median(rows, "per_second"), _median(rows, "server_cpu_us")
    return f"{rate:,.0f}/s, {cpu / 1e3:.2f} ms CPU"


def _rate(measure: str, rows: tuple[list[Row], list[Row]], wanted: float) -> Line:
    ratio = _ratio(*rows, "per_second")
    ours, theirs = map(_rate_and_cpu, rows)
    return Line(measure, ours, theirs, ratio, f"at least {wanted:g} of the rate", ratio >= wanted)


def _less_cpu(measure: str, rows: tuple[list[Row], list[Row]]) -> Line:
    ours, theirs = (f"{_median(each, 'server_cpu_us') / 1e3:.2f} ms" for each in rows)
    ratio = _ratio(*rows, "server_cpu_us")
    return Line(measure, ours, theirs, ratio, "less", ratio < 1)


def _ldap(signs: Mapping[str, tuple[list[Row], list[Row]]]) -> Line:
    ratios = [
        _ratio(encrypted, clear, "per_second")
        for encrypted, clear in zip(signs[_CLEAR], signs[_NOTHING], strict=True)
    ]
    ours, theirs = map(number, ratios)
    measure = "sign-ins of unencrypted clients, LDAPS to LDAP"
    return Line(measure, ours, theirs, None, "at least 0.9", ratios[0] >= 0.9)


def _storm(result: Row) -> Line:
    storm = result["storm"]
    seconds = _EVERYBODY / storm["per_second"]
    searches, binds = storm["ldap"]["search"], storm["ldap"]["bind"]
    ours = (
        f"{storm['per_second']:,.0f} users/s, {storm['server_cpu_us'] / 1e3:.2f} ms CPU;"
        f" LDAP: {searches:g} searches, {binds:g} binds, {storm['slapd_cpu_us'] / 1e3:.2f} ms CPU a user"
    )
    exact = storm["operations"] == _EVERYBODY
    goal = f"10,000 users back in 180 s: {seconds:,.0f} s{'' if exact else ' at this rate'}"
    return Line("the storm, TLS clients, LDAPS", ours, "", None, goal, seconds <= _BACK_WITHIN)


def _memory(measure: str, ours: Row, theirs: Row, wanted: int) -> Line:
    one, other = ours["memory"] / _KIB, theirs["memory"] / _KIB
    goal = f"at most {wanted} KiB"
    return Line(measure, f"{one:.1f} KiB", f"{other:.1f} KiB", one / other, goal, one <= wanted)


def _growth(measure: str, ours: Row, theirs: Row) -> Line:
    one, other = ((row["aged"][-1] - row["aged"][0]) / _KIB for row in (ours, theirs))
    return Line(measure, f"{one:.1f} KiB", f"{other:.1f} KiB", None, "none (under 1 KiB)", one < 1)


def _presence(measure: str, ours: Row, theirs: Row) -> Line:
    one, other = (
        f"{row['presence']['p50_ms']:.1f} / {row['presence']['p99_ms']:.1f} ms" for row in (ours, theirs)
    )
    ratio = ours["presence"]["p50_ms"] / theirs["presence"]["p50_ms"]
    tail = ours["presence"]["p99_ms"] / theirs["presence"]["p99_ms"]
    return Line(f"{measure} (p50 / p99)", one, other, ratio, "at most 2", ratio <= 2 and tail <= 2)


def _messages(measure: str, ours: Row, theirs: Row) -> Line:
    one, other = (
        f"{row['per_second']:,.0f}/s, {row['server_cpu_us'] / 1e3:.3f} ms CPU, {row['lost']} lost"
        for row in (ours, theirs)
    )
    met = ours["server_cpu_us"] <= 100 and ours["per_second"] >= 10_000 and not ours["lost"]
    ratio = ours["per_second"] / theirs["per_second"]
    return Line(measure, one, other, ratio, "0.1 ms, 10,000/s, none lost", met)


def _costs(result: Row) -> str:
    """CPU of one operation in µs: of the server, of slapd, of the load generator."""
    rows = []
    for way, both in _sign_ins(result).items():
        for name, found in zip(("Quintet", "ejabberd"), both, strict=True):
            ldap = [statistics.median(row["ldap"][kind] for row in found) for kind in ("search", "bind")]
            columns = ("server_cpu_us", "slapd_cpu_us", "load_cpu_us", "p50_ms", "p99_ms")
            cells = [number(_median(found, column)) for column in columns]
            rows.append((f"sign-in, {way}", name, *cells, f"{ldap[0]:g} / {ldap[1]:g}"))
    for way in (_TLS, _CLEAR):
        for name, row in zip(("Quintet", "ejabberd"), _sessions(result, way), strict=True):
            for key, label in (
                ("updates", "presence update"),
                ("messages_1", "message"),
                ("messages_10", "message of ten"),
            ):
                each = row[key]
                columns = ("server_cpu_us", "slapd_cpu_us", "load_cpu_us", "p50_ms", "p99_ms")
                rows.append((f"{label}, {way}", name, *(number(each[column]) for column in columns), ""))
    headings = (
        "operation",
        "server",
        "CPU µs",
        "slapd CPU µs",
        "load CPU µs",
        "p50 ms",
        "p99 ms",
        "searches / binds",
    )
    return table(headings, rows)


def _explanation(result: Row) -> str:
    machine, size = result["machine"], result["size"]
    software = ", ".join(f"{name} {version}" for name, version in result["software"].items())
    return (
        f"Measured on {result['measured']} with {machine['processors']} processors ({machine['system']},"
        f" {machine['architecture']}; load average before the run {machine['load_average']:g}): {software}."
        f" Sign-ins: the median of {size['rounds']} rounds of {size['sign_ins']:,} users by"
        f" {result['callers']} callers; {size['sessions']:,} sessions for memory, presence and messages."
        " Server, `slapd` and load generator share the processors; ejabberd uses all of them, Quintet one."
        " Ratios are Quintet's figure by ejabberd's, of the same round."
        " [How it is measured](bench/README.md)."
    )
