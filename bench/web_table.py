"""The table of `script/bench --web`, in Markdown. It uses the standard library alone."""

import re
from collections.abc import Mapping
from typing import Any

from figures import number, table

_MARKED = re.compile(r"(?<=<!-- web figures -->\n).*?(?=<!-- end of web figures -->)", re.DOTALL)
_LEVELS = {"none": "unencrypted", "all": "encrypted"}
_EMPTY = {"starlette": "an empty Starlette route", "fastapi": "an empty FastAPI route"}


def fill(readme: str, result: Mapping[str, Any]) -> str:
    """The README with `results-web.json`'s figures between its markers. Raises ValueError without those."""
    if not _MARKED.search(readme):
        raise ValueError("the README has no <!-- web figures --> and <!-- end of web figures --> in it")
    return _MARKED.sub(lambda _: f"\n{section(result)}\n\n", readme)


def section(result: Mapping[str, Any]) -> str:
    """Every route beside the core alone, the empty handlers, and how it was measured."""
    rows = [
        (
            f"`{each['path']}`",
            _LEVELS[each["level"]],
            number(each["web"]["per_second"]),
            *(number(each[who]["cpu_us"]) for who in ("web", "core")),
            number(each["measured"]),
            number(each["by_rate"]),
            f"{each['wanted']:g}{'' if each['met'] else ', missed'}",
        )
        for each in result["routes"]
    ]
    rows += [
        (_EMPTY[name], "", number(found["per_second"]), number(found["cpu_us"]), "", "", "", "")
        for name, found in result["empty"].items()
    ]
    headings = (
        "route",
        "to LDAP",
        "requests/s",
        "CPU µs",
        "CPU µs of the core alone",
        "share of the core, CPU",
        "rate",
        "goal",
    )
    return f"{table(headings, rows)}\n\n{_explanation(result)}"


def _explanation(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    software = ", ".join(f"{name} {version}" for name, version in result["software"].items())
    return (
        f"Each figure is the median of {result['rounds']} rounds of {result['seconds_per_turn']:g} s,"
        f" measured on {result['measured']} with {machine['processors']} processors ({machine['system']},"
        f" {machine['architecture']}; load average before the run {machine['load_average']:g}): {software}."
        f" {result['callers']} connections stay open, each with one request at a time; server and core are"
        " each one process on one processor. The goals are for the share by CPU, which other load on the"
        " machine changes least. The rows without LDAP are what Starlette and FastAPI do with a handler that"
        " does nothing. [How it is measured](bench/README.md)."
    )
