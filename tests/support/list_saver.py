"""A session of a user in a process of its own: `python -m support.list_saver URL USER NAME ROUNDS`.

It adds contacts to the user's list and removes some, of its own and of those whose number it was given, as
fast as it can. It prints which it added and which it removed, as JSON.
"""

import asyncio
import json
import random
import sys
from pathlib import Path

from quintet.sametime.storage import CONTACT_LIST, DatabaseAddress, ValueStore, store

_EVERY = 7  # saves, after which the session ends and another one loads the list


def encode(names: list[str]) -> bytes:
    """The value of a contact list with these contacts in one group."""
    lines = ["Version=3.1.3", "G Work2 Work O", *(f"U {name}1:: {name}," for name in names)]
    text = "".join(f"{line}\r\n" for line in lines).encode()
    return len(text).to_bytes(2, "big") + text


def decode(value: bytes) -> list[str]:
    """The contacts of such a list."""
    lines = value[2:].decode().splitlines()
    return [line[2:].partition("::")[0][:-1] for line in lines if line.startswith("U ")]


async def save_lists(
    node: ValueStore, user: str, name: str, rounds: int, mine: list[str]
) -> tuple[set[str], set[str]]:
    """What the session `name` added and what it removed; `mine` are contacts that it alone may remove."""
    chance = random.Random(name)
    added: set[str] = set()
    removed: set[str] = set()
    version, seen = 0, list[str]()
    for nth in range(rounds):
        if nth % _EVERY == 0:
            loaded = (await node.load(user, [CONTACT_LIST]))[CONTACT_LIST]
            version, seen = loaded.version, decode(loaded.value)
        own = [each for each in seen if each in mine or each in added]
        if own and chance.random() < 0.4:
            gone = chance.choice(own)
            seen.remove(gone)
            removed.add(gone)
        else:
            seen.append(f"{name}-{nth}")
            added.add(f"{name}-{nth}")
        version = (await node.save(user, CONTACT_LIST, encode(seen), base=version)).version
    return added, removed


async def _main(url: str, user: str, name: str, rounds: int) -> None:
    store.VERSIONS = 1_000_000  # type: ignore[misc]  # a base that is not kept any more removes nothing
    node = await ValueStore.open(DatabaseAddress.parse(url, Path()))
    mine = [f"shared-{name}-{nth}" for nth in range(5)]
    added, removed = await save_lists(node, user, name, rounds, mine)
    await node.close()
    sys.stdout.write(json.dumps({"added": sorted(added), "removed": sorted(removed)}))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
