"""The command line of `script/fuzz`."""

import argparse
import sys
from pathlib import Path

from fuzz.campaign import Outcome, fuzz
from fuzz.targets import ALL

OUTPUT = Path(__file__).parent.parent / ".cache" / "fuzz"
_COLUMNS = "{:<18} {:>8} {:>7} {:>12} {:>8} {:>7} {:>9} {:>7} {:>8}"


def main() -> int:
    options = _options()
    if options.list:
        for each in ALL.values():
            print(f"{each.name:<18} {each.about}")
        return 0
    if options.replay is not None:
        accepted = ALL[options.targets[0]].run(options.replay.read_bytes())
        print("accepted" if accepted else "refused")
        return 0
    print(
        _COLUMNS.format(
            "target", "seconds", "cpu s", "executions", "exec/s", "edges", "features", "inputs", "crashes"
        )
    )
    outcomes = [_run(name, options) for name in options.targets or ALL]
    failed = [each.name for each in outcomes if not each.ran]
    if failed:
        print(f"not run: {', '.join(failed)}", file=sys.stderr)
    if any(each.crashes for each in outcomes):
        return 1
    return 2 if failed else 0


def _run(name: str, options: argparse.Namespace) -> Outcome:
    found = fuzz(ALL[name], options.seconds, options.output / name)
    rate = round(found.executions / max(found.seconds, 1))
    print(
        _COLUMNS.format(
            name,
            round(found.seconds),
            round(found.cpu),
            found.executions,
            rate,
            found.edges,
            found.features,
            found.inputs,
            len(found.crashes),
        ),
        flush=True,
    )
    for each in found.crashes:
        print(f"    {each}\n    script/fuzz {name} --replay {each}", flush=True)
    if not found.ran:
        print(f"    did not run: see {found.log}", flush=True)
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/fuzz",
        description="Fuzz everything that reads bytes from outside, guided by coverage.",
        epilog="Exit status: 0 no crash, 1 a crash was found, 2 a target could not be run.",
    )
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help="what to fuzz (default: all, one after another)"
    )
    parser.add_argument("--list", action="store_true", help="list the targets")
    parser.add_argument(
        "--seconds", type=_count, default=60, help="time for each target (default: %(default)s)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=OUTPUT,
        help="folder for corpora, crashes and logs, which the next run continues (default: .cache/fuzz)",
    )
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input again, and fuzz nothing")
    options = parser.parse_args()
    for each in options.targets:
        if each not in ALL:
            parser.error(f"unknown target: {each} (script/fuzz --list shows all)")
    if options.replay is not None and len(options.targets) != 1:
        parser.error("--replay needs exactly one TARGET")
    options.output = options.output.resolve()
    return options


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
