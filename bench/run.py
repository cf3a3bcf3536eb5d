"""The command line of `script/bench`."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import community
import faults
import nodes
import searches
import tasks
import timing
from refusals import TRIES
from startup import RUNS, WANTED, measure_startup

import web

if TYPE_CHECKING:
    from types import ModuleType

HERE = Path(__file__).parent


def main() -> None:
    options = _options()
    if options.timing:
        timing.run(options.tries, options.json or HERE / "results-timing.json")
        return
    if options.startup and not options.tasks:
        found = measure_startup()
        print(
            f"quintet --help, {RUNS} runs: least {found.least:.3f} s, median {found.median:.3f} s,"
            f" CPU {found.cpu:.3f} s (goal: median {WANTED} s)"
        )
        return
    if options.faults:
        faults.run()
        return
    if options.nodes:
        options.json = options.json or HERE / "results-nodes.json"
        nodes.run(options)
        return
    if options.sametime:
        options.json = options.json or HERE / "results-sametime.json"
        community.run(options)
        return
    measurement: ModuleType = searches
    name = "results.json"
    if options.tasks:
        measurement = tasks
        name = "results-tasks.json"
    elif options.web:
        measurement = web
        name = "results-web.json"
    options.rounds = options.rounds or measurement.ROUNDS
    options.json = options.json or HERE / name
    measurement.run(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/bench",
        description="Compare Quintet's searches with its peers', with --tasks the tasks of a community, with"
        " --sametime the server for clients, with --web the HTTP front, with --nodes several nodes.",
    )
    parser.add_argument(
        "--tasks",
        action="store_true",
        help="measure sign-ins, resolves, groups and cards at the three protection levels",
    )
    parser.add_argument("--web", action="store_true", help="measure the HTTP front beside the core alone")
    parser.add_argument(
        "--startup", action="store_true", help="measure only the start of quintet --help (--tasks does, too)"
    )
    parser.add_argument(
        "--sametime", action="store_true", help="measure Quintet's Sametime server beside ejabberd"
    )
    parser.add_argument(
        "--nodes", action="store_true", help="measure what it costs that several nodes are one community"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="with --sametime or --nodes: fewer users and rounds, in some minutes",
    )
    parser.add_argument(
        "--readme",
        action="store_true",
        help="with --sametime: write the tables into the README, too (with --nodes into scaling.md)",
    )
    parser.add_argument(
        "--faults",
        action="store_true",
        help="show what Quintet and ejabberd do when the directory is gone, untrusted or unencrypted",
    )
    parser.add_argument(
        "--timing",
        action="store_true",
        help="measure what the time of a refusal tells, and how long hostile input holds the event loop",
    )
    parser.add_argument(
        "--tries", type=_count, default=TRIES, help="with --timing, refusals of each kind (%(default)s)"
    )
    parser.add_argument("--uvloop", action="store_true", help="measure Quintet on uvloop as well")
    parser.add_argument(
        "--rounds",
        type=_count,
        help=f"how often each client has its turn ({searches.ROUNDS}; with --tasks and --web {tasks.ROUNDS})",
    )
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a turn is (%(default)s)")
    parser.add_argument(
        "--threads",
        type=_count,
        default=max(2, os.cpu_count() or 2),
        help="slapd's threads (%(default)s); with more than processors, slapd's own locks are measured",
    )
    parser.add_argument(
        "--json",
        type=Path,
        help="where the result goes (bench/results.json, results-tasks.json, …)",
    )
    parser.add_argument(
        "--clients",
        nargs="+",
        choices=searches.CLIENTS,
        default=list(searches.CLIENTS),
        help="who takes part in the comparison of searches",
    )
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
