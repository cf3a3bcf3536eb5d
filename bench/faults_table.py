"""The table of `script/faults`, in Markdown. It uses the standard library alone."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from figures import table

_MARKED = re.compile(r"(?<=<!-- faults figures -->\n).*?(?=<!-- end of faults figures -->)", re.DOTALL)
_TOTALS = ("reconnects", "sent", "received", "conference_sent", "conference_received", "lost")
_LONGEST = ("agreed_after", "ended_after")

Row = Mapping[str, Any]


def summary(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """One row for each fault, in alphabetical order, of those of its rounds."""
    rounds: dict[str, list[Row]] = {}
    for each in rows:
        rounds.setdefault(each["fault"], []).append(each)
    return [
        {
            "fault": fault,
            "pairs": of[0]["pairs"],
            "rounds": len(of),
            "held": sum(each["held"] for each in of),
            **{name: sum(each[name] for each in of) for name in _TOTALS},
            **{name: max(each[name] for each in of) for name in _LONGEST},
        }
        for fault, of in sorted(rounds.items())
    ]


def fill(page: str, result: Row) -> str:
    """The page with these figures between its markers. Raises ValueError without those."""
    if not _MARKED.search(page):
        raise ValueError("the page has no <!-- faults figures --> and <!-- end of faults figures -->")
    return _MARKED.sub(lambda _: f"\n{section(result)}\n\n", page)


def section(result: Row) -> str:
    """What held how often, and how it was tried."""
    headings = (
        "fault",
        "talking pairs",
        "rounds that held",
        "reconnects",
        "until all agreed, at most",
        "until conferences ended, at most",
        "lines in conversations, sent and received",
        "lines in conferences, sent and received",
        "lost",
    )
    rows = (
        (
            each["fault"],
            f"{each['pairs']}",
            f"{each['held']} of {each['rounds']}",
            f"{each['reconnects']:,}",
            f"{each['agreed_after']:.1f} s",
            f"{each['ended_after']:.1f} s" if each["ended_after"] else "",
            f"{each['sent']:,}, {each['received']:,}",
            f"{each['conference_sent']:,}, {each['conference_received']:,}",
            f"{each['lost']}",
        )
        for each in result["faults"]
    )
    machine = result["machine"]
    software = ", ".join(f"{name} {version}" for name, version in result["software"].items())
    return (
        f"{table(headings, rows)}\n\n"
        f"Tried on {result['measured']} in {result['minutes']:.0f} minutes with {machine['processors']}"
        f" processors ({machine['system']}, {machine['architecture']}; load average before the run"
        f" {machine['load_average']:g}): {software}. Valkey was away for {result['seconds_away']:g} s."
    )
