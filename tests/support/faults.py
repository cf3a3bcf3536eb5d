"""What the tests of failing nodes have in common: how often and how long, the oracle, and their figures."""

import functools
import json
import os
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from quintet.sametime.reason import ReasonCode
from support.cluster_nodes import ClusterNodes
from support.conferring import Seat
from support.talkers import Talkers

Test = Callable[..., Coroutine[Any, Any, None]]

NODES = ("n0", "n1", "n2")
ROUNDS = range(int(os.environ.get("QUINTET_FAULT_ROUNDS", "1")))
PAIRS = int(os.environ.get("QUINTET_FAULT_PAIRS", "9"))
AWAY = float(os.environ.get("QUINTET_FAULT_SECONDS", "12"))
"""How long something is away: more than the 8 s after which nodes do not believe in each other any more."""
SOON = 15.0
"""Seconds after which every client shows the sessions that exist."""
ENDS_WITHIN = 10.0
"""Seconds after which what a node had with others has ended there, when it is gone."""
BROKEN, LEFT = ReasonCode.CONNECTION_BROKEN, ReasonCode.SUCCESS
_FIGURES = os.environ.get("QUINTET_FAULT_FIGURES")


@asynccontextmanager
async def signed_in(nodes: ClusterNodes, test: str) -> AsyncIterator[Talkers]:
    """All users, signed in and seen by all, in a conference for each three pairs."""
    rooms = max(len(NODES), PAIRS // 3)
    seed = hash(test) if len(ROUNDS) > 1 else 0
    found = Talkers(nodes.ports, 2 * PAIRS, seed=seed, rooms=rooms, addresses=nodes.addresses)
    try:
        await found.sign_in(found.all)
        await assert_whole(found, *NODES)
        assert {room.home for room in found.rooms.all} == set(NODES)
        for each in found.all:
            each.went_offline.clear()  # users of the test before
        yield found
    finally:
        await found.close()


async def assert_whole(talkers: Talkers, *nodes: str) -> None:
    """All at these nodes agree soon, and between them no line is missing."""
    await assert_apart(talkers, nodes)


async def assert_apart(talkers: Talkers, *groups: Collection[str]) -> None:
    """The same for several groups of nodes that do not see each other."""
    found = await talkers.agreed(*groups, within=SOON)
    for group in groups:
        found += await talkers.unheard(*group, within=SOON)
    found += await talkers.rooms.settled(*groups, within=SOON)
    assert not found, "\n".join(found[:20])
    assert talkers.gaps == 0


def victim_and_others(round_: int) -> tuple[str, list[str]]:
    victim = NODES[round_ % len(NODES)]
    return victim, [each for each in NODES if each != victim]


async def assert_ended(talkers: Talkers, seats: Collection[Seat]) -> None:
    """The conferences end there soon, if the user has not left before."""
    reasons = await talkers.rooms.ended(seats, within=ENDS_WITHIN)
    assert set(reasons) <= {BROKEN, LEFT}, reasons


def assert_stayed(seats: Collection[Seat]) -> None:
    """They have not ended there, if the user has not left."""
    reasons = [each.ended for each in seats]
    assert set(reasons) <= {None, LEFT}, reasons


def figures_of(fault: str) -> Callable[[Test], Test]:
    """Have a test append its figures to the file of `script/faults`; parameters may be in `fault`."""

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        async def run(**given: Any) -> None:
            held = False
            try:
                await test(**given)
                held = True
            finally:
                _append({"fault": fault.format(**given), "held": held, **_figures(given["talkers"])})

        return run

    return decorate


def _figures(talkers: Talkers) -> dict[str, float]:
    people = talkers.all
    return {
        "pairs": PAIRS,
        "reconnects": sum(each.reconnects for each in people),
        "agreed_after": round(talkers.longest, 1),
        "ended_after": round(talkers.rooms.longest_end, 1),
        "sent": sum(each.lines_sent for each in people),
        "received": sum(each.lines_received for each in people),
        "conference_sent": sum(each.conferences.sent for each in people),
        "conference_received": sum(each.conferences.received for each in people),
        "lost": talkers.gaps + len(talkers.rooms.faults),
    }


def _append(row: dict[str, Any]) -> None:
    if _FIGURES is not None:
        with Path(_FIGURES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
