"""Putting a card together from several storages (config 4.7): what was found first stays.

A name as typed finds the person once. From then on the person is asked for, by ID and by the common field:
there may be another person of the same name in another directory, and two must not share a card.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from quintet.cards.fields import Field
from quintet.cards.lookup import Question, by_common_field, by_id, by_user
from quintet.cards.plan import Plan, Repository
from quintet.directory import AmbiguousNameError, DirectoryError, UnknownNameError, sametime_id, tell_card
from quintet.ldap import Entry


@dataclass(frozen=True, slots=True)
class Card:
    """A person's business card. `id` is the Sametime ID: the DN, or the value of `UserIdAttribute`.

    `fields` are in the order of the set. `unavailable` names servers that could not be asked, so that it may
    lack something.
    """

    id: str
    dn: str
    fields: Mapping[str, Field]
    unavailable: tuple[str, ...] = ()


async def make_card(plan: Plan, user: str) -> Card:
    """The card of `user` with the fields of the plan that have a value. Raises as `Cards.card` does."""
    making = _Making(plan, user)
    for repository in plan.repositories:
        if making.wants(repository):
            await making.ask(repository)
    return making.card()


@final
class _Making:
    """A card as far as it is known."""

    __slots__ = ("_failures", "_fields", "_found", "_link", "_plan", "_user")

    def __init__(self, plan: Plan, user: str) -> None:
        self._plan = plan
        self._user = user
        self._link = ""
        self._found: tuple[str, str] | None = None
        """Sametime ID and DN."""
        self._fields: dict[str, Field] = {}
        self._failures: list[tuple[Repository, DirectoryError]] = []

    def wants(self, repository: Repository) -> bool:
        """Whether this server could add something."""
        return self._found is None or not repository.fields.ids <= self._fields.keys()

    async def ask(self, repository: Repository) -> None:
        """Take what this server has of the person.

        Raises AmbiguousNameError when it is not known yet who is meant, and the server knows several.
        """
        try:
            for question in self._questions(repository):
                entry = await repository.find(question)
                if entry is not None:
                    self._take(repository, entry)
                    return
        except AmbiguousNameError:
            if self._found is None:
                raise
        except DirectoryError as error:
            self._failures.append((repository, error))

    def card(self) -> Card:
        if self._found is None:
            if self._failures:
                raise self._failures[0][1]
            raise UnknownNameError("no person is found by this name")
        ident, dn = self._found
        fields = self._fields
        return Card(
            id=ident,
            dn=dn,
            fields={each: fields[each] for each in self._plan.ids if each in fields},
            unavailable=tuple([repository.server.host for repository, _ in self._failures]),
        )

    def _questions(self, repository: Repository) -> Sequence[Question]:
        storage, server = repository.storage, repository.server
        asked: list[Question | None] = []
        if not (repository.is_later and self._plan.only_by_link):
            if self._found is None and not self._link:
                return by_user(server, self._user)
            asked += by_user(server, self._user) if self._found is None else [by_id(server, self._found[0])]
        if self._link:
            asked.append(by_common_field(storage, server, self._plan.link_id, self._link))
        return [question for question in asked if question is not None]

    def _take(self, repository: Repository, entry: Entry) -> None:
        known = self._fields
        self._fields = repository.fields.of(entry.attributes) | known
        tell_card(
            lambda: {
                ident: names
                for ident, names in repository.fields.sources(entry.attributes).items()
                if ident not in known
            }
        )
        if self._found is None:
            self._found = sametime_id(entry, repository.server), entry.dn
        if len(self._plan.repositories) > 1 and not self._link:
            self._link = repository.link.link(entry.attributes)
