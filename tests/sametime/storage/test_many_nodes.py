"""Several nodes, in this process and in others, store lists of one user in one database."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from quintet.sametime.storage import (
    CONTACT_LIST,
    LOST_VERSIONS,
    VERSIONS,
    DatabaseAddress,
    SaveOutcome,
    UnknownUserError,
    UserExistsError,
    ValueStore,
)
from quintet.sametime.storage import (
    store as store_module,
)
from support.list_saver import decode, encode, save_lists

ALICE = "uid=alice,ou=people,dc=example,dc=org"
NODES = ("a", "b", "c")
SHARED = [f"shared-{name}-{nth}" for name in NODES for nth in range(5)]


@pytest.fixture
async def nodes(address: DatabaseAddress) -> AsyncIterator[list[ValueStore]]:
    stores = [await ValueStore.open(address) for _ in NODES]
    yield stores
    await asyncio.gather(*(each.close() for each in stores))


def expected(done: list[tuple[set[str], set[str]]]) -> set[str]:
    """The contacts after all that the sessions did: what was added, without what was removed."""
    added = set(SHARED).union(*(each for each, _ in done))
    return added.difference(*(each for _, each in done))


async def current(node: ValueStore) -> list[str]:
    return decode((await node.load(ALICE, [CONTACT_LIST]))[CONTACT_LIST].value)


async def test_sessions_at_several_nodes_lose_no_contact_and_bring_none_back(
    nodes: list[ValueStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "VERSIONS", 1_000_000)
    await nodes[0].save(ALICE, CONTACT_LIST, encode(SHARED))
    mine = {name: [each for each in SHARED if each.startswith(f"shared-{name}")] for name in NODES}
    done = await asyncio.gather(
        *(save_lists(node, ALICE, name, 40, mine[name]) for node, name in zip(nodes, NODES, strict=True))
    )
    found = await current(nodes[0])
    assert set(found) == expected(done)
    assert len(found) == len(set(found))
    assert any(removed for _, removed in done)


async def in_process(url: str, name: str) -> tuple[set[str], set[str]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.list_saver", url, ALICE, name, "40"),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        async with asyncio.timeout(60):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    document = json.loads(printed)
    return set(document["added"]), set(document["removed"])


async def test_processes_that_share_a_database_lose_no_contact(
    address: DatabaseAddress, nodes: list[ValueStore]
) -> None:
    await nodes[0].save(ALICE, CONTACT_LIST, encode(SHARED))
    url = address.location if "://" in address.location else f"sqlite:///{address.location}"
    done = await asyncio.gather(*(in_process(url, name) for name in NODES))
    assert set(await current(nodes[0])) == expected(done)
    assert {len(added) + len(removed) for added, removed in done} == {40}


@pytest.mark.parametrize("address", ["sqlite"], indirect=True)
async def test_a_second_connection_in_a_process_leaves_the_locks_of_the_first_alone(
    address: DatabaseAddress, nodes: list[ValueStore]
) -> None:
    """The other process would take it for unused, and remove the journal that this one still writes."""
    await nodes[0].save(ALICE, CONTACT_LIST, encode(SHARED))
    await in_process(f"sqlite:///{address.location}", "a")
    assert Path(f"{address.location}-wal").exists()  # noqa: ASYNC240 # a name in memory


async def test_the_versions_that_lost_outlive_those_that_did_not(nodes: list[ValueStore]) -> None:
    node = nodes[0]
    base = (await node.save(ALICE, CONTACT_LIST, encode(["bob"]))).version
    await node.save(ALICE, CONTACT_LIST, encode(["bob", "theirs"]), base=base)
    mine = await nodes[1].save(ALICE, CONTACT_LIST, encode(["bob", "mine"]), base=base)
    assert (mine.outcome, mine.version, mine.current) == (SaveOutcome.MERGED, 3, 4)
    for nth in range(VERSIONS + 5):
        await node.save(ALICE, CONTACT_LIST, encode([f"later{nth}"]))
    kept = await node.history(ALICE, CONTACT_LIST)
    lost = [each.version for each in kept if each.lost]
    assert lost == [3, 2]
    assert len(kept) == VERSIONS + 2
    assert decode((await node.read_version(ALICE, CONTACT_LIST, 3)).value) == ["bob", "mine"]
    await node.restore(ALICE, CONTACT_LIST, 2)
    assert await current(node) == ["bob", "theirs"]


async def test_the_versions_that_lost_are_bounded_in_number_and_in_age(
    nodes: list[ValueStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, key = nodes[0], 0x50
    for nth in range(40):
        await node.save(ALICE, key, b"%d" % nth, base=0)
    kept = await node.history(ALICE, key)
    assert VERSIONS <= len(kept) <= VERSIONS + LOST_VERSIONS
    monkeypatch.setattr(store_module, "LOST_DAYS", -1)
    for nth in range(VERSIONS):
        await node.save(ALICE, key, b"later %d" % nth)
    assert not [each for each in await node.history(ALICE, key) if each.lost]


async def test_of_other_values_one_of_the_last_wins_and_all_others_are_conflicts(
    nodes: list[ValueStore],
) -> None:
    base = (await nodes[0].save(ALICE, 0x50, b"first")).version
    saved = await asyncio.gather(
        *(node.save(ALICE, 0x50, b"%d" % nth, base=base) for nth, node in enumerate(nodes))
    )
    assert sorted(each.outcome.value for each in saved) == ["replaced", "replaced", "saved"]
    last = max(range(len(saved)), key=lambda nth: saved[nth].version)
    assert (await nodes[0].load(ALICE, [0x50]))[0x50].value == b"%d" % last


async def test_saves_renames_and_removals_at_once_neither_hang_nor_fail(nodes: list[ValueStore]) -> None:
    users = [ALICE, "uid=alicia"]

    async def save(node: ValueStore, name: str) -> None:
        for nth in range(25):
            await node.save(users[nth % 2], CONTACT_LIST, encode([f"{name}{nth}"]), base=0)

    async def change(node: ValueStore) -> None:
        for nth in range(25):
            with suppress(UnknownUserError, UserExistsError):
                await node.rename(users[nth % 2], users[(nth + 1) % 2])
            if nth % 5 == 0:
                with suppress(UnknownUserError):
                    await node.delete(users[nth % 2])

    async with asyncio.timeout(60):
        await asyncio.gather(save(nodes[0], "a"), save(nodes[1], "b"), change(nodes[2]))
    stored = [await nodes[0].load(user, [CONTACT_LIST]) for user in users]
    assert any(stored)


async def test_a_save_that_is_repeated_changes_nothing_more(nodes: list[ValueStore]) -> None:
    """A node does not know whether a save was committed when the connection broke, and repeats it."""
    base = (await nodes[0].save(ALICE, CONTACT_LIST, encode(["bob"]))).version
    await nodes[0].save(ALICE, CONTACT_LIST, encode(["bob", "carol"]), base=base)
    for _ in range(2):
        await nodes[1].save(ALICE, CONTACT_LIST, encode(["dave"]), base=base)
        assert await current(nodes[0]) == ["carol", "dave"]
