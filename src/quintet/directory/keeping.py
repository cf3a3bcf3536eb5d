"""Looking after connections that nobody uses, or that somebody doubts: probed, given up, led home."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import final

from quintet.directory.entry_exists import ROOT_DSE, entry_exists
from quintet.directory.errors import DirectoryError
from quintet.directory.events import Warned
from quintet.directory.link import PooledConnection
from quintet.directory.links import Links
from quintet.ldap.errors import LdapError, ResultError

KEEP_EVERY = 15.0
RETURN_AFTER = 60.0


@final
class Keeper:
    """`release` takes back a connection that was probed alone."""

    def __init__(self, links: Links, release: Callable[[PooledConnection], None]) -> None:
        self._links = links
        self._release = release

    async def keep_on(self) -> None:
        """Keep for ever. Whatever goes wrong in one round, the next one comes."""
        while True:
            await asyncio.sleep(KEEP_EVERY * random.uniform(0.8, 1.2))  # noqa: S311
            try:
                await self.keep()
            except Exception as error:  # noqa: BLE001  # without upkeep, dead connections would stay for ever
                line = self._links.line
                self._links.tell(Warned(line.label, line.server, f"upkeep failed: {type(error).__name__}"))

    async def keep(self) -> None:
        """One round: dead and old ones go, idle ones are probed, the first host is tried again."""
        links, line = self._links, self._links.line
        links.free()
        now = links.now()
        spare = len(links.live) - line.connections
        for link in [link for link in links.live if not link.users]:
            if now - max(link.used_at, link.connection.last_used) < line.idle_probe:
                continue
            if spare > 0:
                spare -= 1
                links.retire(link, "idle")
            else:
                await self._probe(link)
        await self._return_to_first()

    def doubt(self, link: PooledConnection, error: LdapError) -> None:
        """An operation got no answer in time: find out whether connections to its host are alive.

        After a bind there is nothing to ask on this one: it is closed, which is as bad as an answer can be.
        """
        if link.usable:
            doubted = [link]
        else:
            self._links.blame(link, error)
            doubted = [each for each in self._links.live if each.host is link.host and not each.users]
        for each in doubted:
            if not each.doubted and not self._links.closed:
                each.doubted = True
                self._links.in_background(self._probe(each))

    async def _probe(self, link: PooledConnection) -> None:
        """Ask for the root DSE. Any answer means life; without one the connection goes."""
        alone = self._links.line.exclusive
        if link.retired or (alone and link.users):
            link.doubted = False
            return
        if alone:
            link.users += 1
        try:
            with suppress(ResultError):
                await entry_exists(link.connection, ROOT_DSE, seconds=self._links.line.connect_timeout)
        except LdapError as error:
            self._links.blame(link, error)
            self._links.retire(link, "doubtful")
            await link.connection.close()
        else:
            link.host.worked()
        finally:
            link.doubted = False
            if alone:
                self._release(link)

    async def _return_to_first(self) -> None:
        """Connections that had to go elsewhere come home after a while."""
        links, first = self._links, self._links.hosts[0]
        away = [link for link in links.live if link.host is not first]
        if not away or links.now() - min(link.opened_at for link in away) < RETURN_AFTER:
            return
        with suppress(DirectoryError):
            if len(away) == len(links.live):
                await links.open((first,))
            for link in away:
                links.retire(link, "moved")
