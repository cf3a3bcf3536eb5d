"""`script/faults`: nodes and Valkey fail, round after round, under users who talk and confer.

The tests do it, in processes that each have a community of their own and run at the same time; those of many
users come after these. What they append to a file becomes `results-faults.json` and a table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from environment import environment
from faults_table import fill, section, summary

ROOT = Path(__file__).parent.parent
_PAGE = ROOT / "docs" / "explanation" / "several-nodes.md"
_FAULTS = "tests/system/test_node_faults.py"
_GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "nodes": (_FAULTS, "-k", "killed or still or cut_off"),
    "valkey": (_FAULTS, "-k", "valkey_is_away"),
    "partitions": ("tests/system/test_node_partitions.py",),
    "leaving": (_FAULTS, "-k", "restart or share"),
}
_MANY = "leaving"
"""The group with many users, once, when the others have ended."""
_SECONDS_AWAY = 30


def main() -> int:
    """The exit code: 1 when a round failed; nothing is written then."""
    options = _options()
    result = environment(("quintet", "redis"))
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="quintet-faults-") as name:
        folder = Path(name)
        together = [each for each in options.only if each != _MANY]
        failed = _run(together, options.rounds, options.pairs, folder)
        if _MANY in options.only:
            failed |= _run([_MANY], options.rounds, options.many, folder)
        figures = folder / "figures"
        figures.touch()
        rows = [json.loads(line) for line in figures.read_text().splitlines()]
    result |= {
        "minutes": (time.monotonic() - begun) / 60,
        "seconds_away": _SECONDS_AWAY,
        "faults": summary(rows),
    }
    print(section(result))
    if failed:  # a round that could not even begin is not among the figures
        return 1
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if options.readme:
        _PAGE.write_text(fill(_PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")
    return 0


def _run(groups: Sequence[str], rounds: int, pairs: int, folder: Path) -> bool:
    """Run these at the same time, and show what failed. Whether anything did."""
    environ = {
        **os.environ,
        "QUINTET_FAULT_ROUNDS": str(rounds),
        "QUINTET_FAULT_PAIRS": str(pairs),
        "QUINTET_FAULT_SECONDS": str(_SECONDS_AWAY),
        "QUINTET_FAULT_FIGURES": str(folder / "figures"),
        "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"),
    }
    running = {}
    for group in groups:
        with (folder / group).open("w") as output:
            command = [sys.executable, "-m", "pytest", "--numprocesses", "0", "-rs", *_GROUPS[group]]
            running[group] = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdout=output, stderr=subprocess.STDOUT
            )
    for group, process in running.items():
        process.wait()
        print(f"{group}: {(folder / group).read_text()}", flush=True)
    return any(each.returncode for each in running.values())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/faults",
        description="Let nodes and Valkey fail, round after round, under users who talk and confer.",
    )
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each fault (%(default)s)")
    parser.add_argument("--pairs", type=int, default=20, help="talking pairs (%(default)s)")
    parser.add_argument(
        "--many", type=int, default=200, help=f"talking pairs of the group {_MANY}, once (%(default)s)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=_GROUPS, default=list(_GROUPS), help="the groups that are run (all)"
    )
    parser.add_argument("--json", type=Path, help="write the figures of a run that held to this file")
    parser.add_argument("--readme", action="store_true", help=f"show them in {_PAGE.relative_to(ROOT)}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
