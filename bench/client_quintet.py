"""Quintet: its engine alone, plain awaits on one connection; and what a community asks of it, on top of that.

client_quintet.py TARGET engine|tasks [uvloop] [served]

With `served`, reference cycles are looked for as seldom as in `quintet serve`.
"""

import asyncio
import importlib
import ssl
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from people import BASE, MEMBERS, dn, full_name, group, mail, password
from worker import ATTRIBUTES, Client, Target, WrongAnswerError, expect, in_callers, serve

from quintet.cards import AUTHENTICATED
from quintet.cards.cards import Cards
from quintet.config.load import load
from quintet.directory.directory import Directory
from quintet.ldap.connection import Address, Connection, connect
from quintet.ldap.filters import Template
from quintet.runtime.application import rare_collections

_SUBTREE = 2
_LOOP: Callable[[], asyncio.AbstractEventLoop] | None = (
    importlib.import_module("uvloop").new_event_loop if "uvloop" in sys.argv[2:] else None
)


class Engine:
    """Searches over one connection."""

    def __init__(self, target: Target) -> None:
        self._runner = asyncio.Runner(loop_factory=_LOOP)
        self._filter = Template("(uid=%s)")
        self._connection = self._runner.run(_connect(target))
        self.works = {"search": in_callers(self._runner, self._search)}

    async def _search(self, name: str) -> None:
        found = await self._connection.search(BASE, _SUBTREE, self._filter.encode(name), ATTRIBUTES)
        expect(len(found.entries), found.entries[0].attributes["mail"][0], name)

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


async def _connect(target: Target) -> Connection:
    context = ssl.create_default_context(cafile=target.ca) if target.tls else None
    address = Address(target.host, target.tls_port if target.tls else target.port)
    connection = await connect(address, tls=context)
    await connection.bind(target.user, target.password)
    return connection


class Tasks:
    """The tasks of a community, with the connections that the settings ask for."""

    def __init__(self, target: Target) -> None:
        self._runner = asyncio.Runner(loop_factory=_LOOP)
        settings = load(Path(target.folder), {})
        assert settings.cards is not None
        self._directory = Directory(settings)
        self._cards = Cards(settings)
        self._runner.run(self._open())
        operations = {
            "sign-in": self._sign_in,
            "resolve": self._resolve,
            "group": self._group,
            "card": self._card,
            "whole card": self._whole_card,
            "whole card by DN": self._whole_card_by_dn,
            "photo": self._photo,
        }
        self.works = {name: in_callers(self._runner, each) for name, each in operations.items()}

    async def _open(self) -> None:
        await self._directory.open()
        await self._cards.open()
        rows = [*await self._directory.connect_all(), *await self._cards.connect_all()]
        if errors := [row.error for row in rows if row.failed]:
            raise SystemExit(f"not connected: {errors[0]}")

    async def _sign_in(self, name: str) -> None:
        person = await self._directory.authenticate(name, password(name))
        expect(1, person.mail, name)

    async def _resolve(self, name: str) -> None:
        found = await self._directory.resolve(full_name(name))
        expect(len(found.matches), getattr(found.matches[0], "mail", None), name)

    async def _group(self, name: str) -> None:
        found = await self._directory.members(group(name))
        if len(found.members) != MEMBERS:
            raise WrongAnswerError(f"{len(found.members)} members of {group(name)}; expected {MEMBERS}")

    async def _card(self, name: str) -> None:
        card = await self._cards.card(mail(name))
        if card.dn != dn(name):
            raise WrongAnswerError(f"the card of {card.dn}; expected that of {dn(name)}")

    async def _whole_card(self, name: str) -> None:
        card = await self._cards.card(mail(name), set_id=AUTHENTICATED, authenticated=True)
        expect(1, card.fields["MailAddress"].value, name)

    async def _whole_card_by_dn(self, name: str) -> None:
        card = await self._cards.card(dn(name), set_id=AUTHENTICATED, authenticated=True)
        expect(1, card.fields["MailAddress"].value, name)

    async def _photo(self, name: str) -> None:
        card = await self._cards.card(dn(name), only=("Photo",))
        if not isinstance(card.fields["Photo"].value, bytes):
            raise WrongAnswerError(f"no photo of {name}")

    def close(self) -> None:
        self._runner.run(self._directory.close())
        self._runner.run(self._cards.close())
        self._runner.close()


_KINDS: dict[str, Callable[[Target], Client]] = {"engine": Engine, "tasks": Tasks}

if __name__ == "__main__":
    with rare_collections() if "served" in sys.argv[3:] else nullcontext():
        serve(_KINDS[sys.argv[2]])
