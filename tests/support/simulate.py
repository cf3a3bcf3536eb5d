"""Runs random histories from the command line: see `script/simulate`."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from support.cluster_histories import History, run_history
from support.redis_server import RedisServer
from support.redis_store import RedisStore
from support.simulated_cluster import SimulatedNode, World
from support.simulated_messages import TalkHistory

_ACTIONS = ("sign_in", "sign_out", "set_status", "set_privacy", "watch", "unwatch", "touch", "drain")
_FAULTS = ("kill", "pause", "resume")


def main(arguments: Sequence[str] | None = None) -> int:
    """1 if a history fails."""
    parser = argparse.ArgumentParser(prog="script/simulate", description="Run random histories of a cluster.")
    parser.add_argument("--seeds", type=int, default=1, help="how many histories")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--talk", action="store_true", help="users also talk and confer")
    parser.add_argument("--redis", action="store_true", help="scripts run on a real redis-server")
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    options = parser.parse_args(arguments)
    if options.trace:
        trace()
    failed = 0
    began = time.monotonic()
    with ExitStack() as stack:
        port = stack.enter_context(RedisServer()).port if options.redis else 0
        for seed in range(options.seed, options.seed + options.seeds):
            try:
                with ExitStack() as opened:
                    store = opened.enter_context(RedisStore(port)) if options.redis else None
                    run_history(seed, store, TalkHistory if options.talk else History)
            except AssertionError as error:
                failed += 1
                print(error)
    seconds = time.monotonic() - began
    print(f"{options.seeds} histories, {failed} failed, {1000 * seconds / max(options.seeds, 1):.1f} ms each")
    return 1 if failed else 0


def trace() -> None:
    """Print what users do, what goes wrong, what scripts answer, and what clients are told."""
    for name in (*_ACTIONS, *_FAULTS, "_show"):
        _print_calls(SimulatedNode, name, lambda node: node.world.now, lambda node: f"{node.name}: ")
    for name in ("stop_valkey", "fail_over", "fault", "healed"):
        _print_calls(World, name, lambda world: world.now, lambda _: "Valkey: ")
    execute = World.execute

    def executed(world: World, *call: Any) -> Any:
        answer = execute(world, *call)
        print(f"{world.now:8.3f} {call[0].name} {call[1][:1]} {str(answer)[:160]}")
        return answer

    World.execute = executed  # type: ignore[method-assign, assignment]


def _print_calls(kind: type, name: str, now: Callable[[Any], float], who: Callable[[Any], str]) -> None:
    method = getattr(kind, name)

    def printed(it: Any, *args: Any, **more: Any) -> Any:
        shown = ", ".join(str(each)[:160] for each in args)
        print(f"{now(it):8.3f} {who(it)}{name.strip('_')} {shown}")
        return method(it, *args, **more)

    setattr(kind, name, printed)


if __name__ == "__main__":
    sys.exit(main())
