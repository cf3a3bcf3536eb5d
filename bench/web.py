"""`script/bench --web`: what the HTTP front makes of the core, beside the core alone and empty handlers."""

import argparse
import contextlib
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from environment import environment
from goals import middle_half
from people import PEOPLE, READER, READER_PASSWORD
from processes import OrderedProcess, Worker
from rich.console import Console
from rich.markdown import Markdown
from server import bench_slapd, settings_folders
from web_table import section
from worker import CALLERS, Level, Target

ROUNDS = 12
LEVELS: tuple[Level, ...] = ("none", "all")
CORE = "core"


@dataclass(frozen=True, slots=True)
class WebRoute:
    """A route: the work of the load, its URL, what the core does for it, and the share that is wanted."""

    work: str
    path: str
    core: str
    wanted: float


ROUTES = (
    WebRoute("servlet", "/servlet/UserInfoServlet", "whole card", 0.5),
    WebRoute("photo", "/photos/ID", "photo", 0.5),
    WebRoute("verify", "/auth/verify/nginx/…", "sign-in", 0.5),
    WebRoute("resolve", "/api/v1/resolve", "resolve", 0.35),
    WebRoute("card", "/api/v1/people/…/card", "whole card by DN", 0.35),
)
EMPTY = ("starlette", "fastapi")

Turns = dict[tuple[Level, str, str], list[dict[str, float]]]
"""By level, who works, and the work: rate, latency and CPU of each round."""


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write the result where the options say."""
    console = Console()
    result = environment(("quintet", "starlette", "fastapi", "uvicorn", "httptools"))
    with console.status("Starting slapd") as status, bench_slapd(options.threads, photos=True) as server:
        folders = settings_folders(server)
        with contextlib.ExitStack() as stack:
            targets = {
                level: Target(
                    server.host,
                    server.port,
                    server.tls_port,
                    str(server.ca),
                    level,
                    READER,
                    READER_PASSWORD,
                    str(folders[level]),
                )
                for level in LEVELS
            }
            parties = {level: _Parties(stack, target) for level, target in targets.items()}
            turns = _measure(parties, options, status.update)
    result |= {
        "people": PEOPLE,
        "callers": CALLERS,
        "slapd_threads": options.threads,
        "rounds": options.rounds,
        "seconds_per_turn": options.seconds,
        "routes": [_route(route, level, turns) for route in ROUTES for level in LEVELS],
        "empty": {name: _medians(turns["none", "web", name]) for name in EMPTY},
    }
    console.print(Markdown(section(result)))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


class _Parties:
    """The processes of one protection level."""

    def __init__(self, stack: contextlib.ExitStack, target: Target) -> None:
        self._core = stack.enter_context(Worker(("client_quintet.py", "tasks", "served"), target))
        self._web = stack.enter_context(OrderedProcess("server_web.py", target.as_argument()))
        self._load = stack.enter_context(Worker(("client_http.py",), target))

    def turn(self, who: str, work: str, seconds: float, seed: int) -> dict[str, float]:
        """CPU is that of the process that is measured: the core's, or the HTTP server's."""
        if who == CORE:
            done = self._core.order(work, seconds=seconds, seed=seed)
            used = done.cpu
        else:
            self._load.order(work, operations=2 * CALLERS, seed=seed)  # so that all connections are open
            used = self._web.ask()["cpu"]
            done = self._load.order(work, seconds=seconds, seed=seed)
            used = self._web.ask()["cpu"] - used
        return {
            "per_second": done.operations / done.seconds,
            "p50_ms": done.p50 * 1e3,
            "p99_ms": done.p99 * 1e3,
            "cpu_us": used / done.operations * 1e6,
        }


def _measure(
    parties: Mapping[Level, _Parties], options: argparse.Namespace, tell: Callable[[str], None]
) -> Turns:
    """All turns of all rounds. Each round begins with another turn, and every second one goes backwards."""
    works = [(CORE, work) for work in dict.fromkeys(route.core for route in ROUTES)]
    works += [("web", name) for name in (*(route.work for route in ROUTES), *EMPTY)]
    order = [(level, *work) for work in works for level in LEVELS]
    turns: Turns = {each: [] for each in order}
    for nth in range(options.rounds + 1):
        start = nth % len(order)
        rotated = order[start:] + order[:start]
        for level, who, work in rotated if nth % 2 else reversed(rotated):
            tell(f"Round {nth} of {options.rounds}: {who}, {work}, {level}")
            found = parties[level].turn(who, work, options.seconds, nth)
            if nth:  # the first round warms up
                turns[level, who, work].append(found)
    return turns


def _route(route: WebRoute, level: Level, turns: Turns) -> dict[str, Any]:
    core, web = turns[level, CORE, route.core], turns[level, "web", route.work]
    ratios = [theirs["cpu_us"] / ours["cpu_us"] for ours, theirs in zip(web, core, strict=True)]
    rates = [ours["per_second"] / theirs["per_second"] for ours, theirs in zip(web, core, strict=True)]
    measured = statistics.median(ratios)
    return {
        "path": route.path,
        "level": level,
        "wanted": route.wanted,
        "measured": round(measured, 3),
        "middle_half": [round(each, 3) for each in middle_half(ratios)],
        "by_rate": round(statistics.median(rates), 3),
        "met": measured >= route.wanted,
        "core": _medians(core),
        "web": _medians(web),
    }


def _medians(turns: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(turn[name] for turn in turns), 2) for name in turns[0]}
