"""Public groups are read again once for all nodes: one asks the directory, the others take what it has read.

The content of a group is in Valkey, sealed, under a digest of the group's name, and expires with the interval
at which groups are read again. The node that finds none takes a lock and reads; others look again until it
has. A node that waits in vain, and each while Valkey is away, reads for itself.
"""

import asyncio
import json
import secrets
import zlib
from dataclasses import asdict
from typing import Any, Final, Protocol, final

from quintet.cluster.sealing import KeyRing
from quintet.cluster.valkey import ClusterUnavailableError, Script, Valkey, ask
from quintet.directory import Group, Membership, Person

LARGEST: Final = 1024 * 1024
"""Bytes of the largest content that is shared; each node reads larger groups for itself."""
_LARGEST_UNPACKED: Final = 16 * LARGEST
_LOCK_SECONDS: Final = 30
_LOOK_SECONDS: Final = 0.25
_WAIT_SECONDS: Final = 15.0
_USUAL_SECONDS: Final = 600.0
_PURPOSE: Final = "group content"

TAKE: Final = Script(
    "group-take",
    """
local found = redis.call('GET', KEYS[1])
if found then return found end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'EX', ARGV[2]) then return 1 end
return 0
""",
)

GIVE: Final = Script(
    "group-give",
    """
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[2])
  if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
end
return 1
""",
)


class MembersReader(Protocol):
    """What the directory is for here."""

    async def members(self, group: str) -> Membership:
        """The content of a group. Raises DirectoryError."""


@final
class SharedGroupContents:
    """Groups as `directory` has them, read once for all nodes within `seconds` (0: within 10 minutes)."""

    def __init__(
        self, valkey: Valkey, ring: KeyRing, prefix: str, directory: MembersReader, seconds: float
    ) -> None:
        self._valkey = valkey
        self._ring = ring
        self._prefix = prefix
        self._directory = directory
        self._seconds = (seconds or _USUAL_SECONDS) * 0.9  # nodes ask again a little earlier than that
        self._mine = secrets.token_hex(8)

    async def members(self, group: str) -> Membership:
        """The content of a group. Raises DirectoryError."""
        digest = self._ring.digest(_PURPOSE, group.casefold())
        keys = [f"{self._prefix}:g:{digest}", f"{self._prefix}:gl:{digest}"]
        loop = asyncio.get_running_loop()
        until = loop.time() + _WAIT_SECONDS
        try:
            while loop.time() < until:
                found = await ask(self._valkey, TAKE, keys, [self._mine, _LOCK_SECONDS])
                if found == 1:
                    return await self._read_for_all(group, keys)
                if isinstance(found, bytes):
                    content = self._opened(keys[0], found)
                    return await self._directory.members(group) if content is None else content
                await asyncio.sleep(_LOOK_SECONDS)
        except ClusterUnavailableError:
            pass
        return await self._directory.members(group)

    async def _read_for_all(self, group: str, keys: list[str]) -> Membership:
        sealed = b""
        try:
            content = await self._directory.members(group)
            data = zlib.compress(json.dumps(asdict(content)).encode(), 1)
            if len(data) <= LARGEST:
                sealed = self._ring.seal(_PURPOSE, keys[:1], data)
        finally:
            self._valkey.call(GIVE, keys, [self._mine, sealed, int(self._seconds * 1000)])
        return content

    def _opened(self, key: str, sealed: bytes) -> Membership | None:
        data = self._ring.open(_PURPOSE, (key,), sealed)
        if data is None:
            return None
        try:
            text = zlib.decompressobj().decompress(data, _LARGEST_UNPACKED)
            found: dict[str, Any] = json.loads(text)
            return Membership(
                Group(**found["group"]),
                tuple(Person(**each) for each in found["members"]),
                tuple(Group(**each) for each in found["groups"]),
                tuple(found["missing"]),
                found["truncated"] is True,
                int(found["limit"]),
            )
        except (ValueError, TypeError, KeyError, zlib.error):
            return None
