"""The README's table of the tasks, made from what `script/bench --tasks` measured last.

It uses the standard library alone, so that the documentation can be made without the peers.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_MARKED = re.compile(r"(?<=<!-- task figures -->\n).*?(?=<!-- end of task figures -->)", re.DOTALL)
_LEVELS = ("all", "passwords", "none")


def fill(readme: str, result: Mapping[str, Any]) -> str:
    """The README with `results-tasks.json`'s figures between its markers. Raises ValueError without those."""
    if not _MARKED.search(readme):
        raise ValueError("the README has no <!-- task figures --> and <!-- end of task figures --> in it")
    return _MARKED.sub(lambda _: f"\n{section(result)}\n\n", readme)


def section(result: Mapping[str, Any]) -> str:
    """The ratios with their goals, the figures that they come from, and how they were measured."""
    return "\n\n".join((_ratios(result), _figures(result), _explanation(result)))


def _ratios(result: Mapping[str, Any]) -> str:
    uvloop = any("on_uvloop" in goal for goal in result["goals"])
    startup = result["startup"]
    rows = [
        (
            goal["name"],
            number(goal["measured"]),
            *((number(goal["on_uvloop"]),) if uvloop else ()),
            f"{goal['wanted']:g}{'' if goal['met'] else ', missed'}",
        )
        for goal in result["goals"]
    ]
    rows.append(
        (
            "start of `quintet --help`",
            f"{startup['median']:.2f} s",
            *(("",) if uvloop else ()),
            f"{startup['wanted']:g} s{'' if startup['median'] <= startup['wanted'] else ', missed'}",
        )
    )
    headings = ("ratio in one run, over TLS", "measured", *(("on uvloop",) if uvloop else ()), "goal")
    return table(headings, rows)


def _figures(result: Mapping[str, Any]) -> str:
    rows: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for each in result["figures"]:
        rows.setdefault((each["work"], each["client"]), {})[each["level"]] = each
    return table(
        (
            "task",
            "client",
            *(f"ops/s, {level}" for level in _LEVELS),
            "p50 ms",
            "p99 ms",
            "CPU µs, all",
            "none",
        ),
        (
            (
                work,
                client,
                *(number(levels[level]["per_second"]) if level in levels else "" for level in _LEVELS),
                *(number(levels["all"][name]) for name in ("p50_ms", "p99_ms", "client_cpu_us")),
                number(levels["none"]["client_cpu_us"]),
            )
            for (work, client), levels in rows.items()
        ),
    )


def _explanation(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    software = ", ".join(f"{name} {version}" for name, version in result["software"].items())
    return (
        f"Each figure is the median of {result['rounds']} rounds of {result['seconds_per_turn']:g} s,"
        f" measured on {result['measured']} with {machine['processors']} processors ({machine['system']},"
        f" {machine['architecture']}; load average before the run {machine['load_average']:g}): {software}."
        f" `slapd` has {result['people']:,} people and {result['groups']} groups of {result['members']}; it"
        f" runs with {result['slapd_threads']} threads and does not log. Quintet serves {result['callers']}"
        f" callers; python-ldap works in {result['threads']} threads. `all`, `passwords` and `none` are the"
        " protection levels; latency is that at `all`. CPU is the client's for one operation. Ratios are"
        " medians of those of two turns in one round; above 1 is better for Quintet."
        " [How it is measured](bench/README.md)."
    )


def number(value: float) -> str:
    """Three digits, which is as much as a measurement is worth; all of them from 100 on."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
