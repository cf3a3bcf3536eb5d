"""Putting a card together from several storages (reference 4.7): what was found first stays.

A name as typed finds the person once. From then on it is the person that is asked for, by ID and by the
common field: somebody else may have the same name in another directory, and two must not share a card.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from quintet.cards.fields import Field, fields_of, link_of
from quintet.cards.lookup import Question, by_common_field, by_id, by_user
from quintet.cards.repository import Repository
from quintet.config import CardSettings
from quintet.directory import AmbiguousNameError, DirectoryError, UnknownNameError, sametime_id
from quintet.ldap.messages import SearchResultEntry


@dataclass(frozen=True, slots=True)
class Card:
    """Somebody's business card. `id` is the Sametime ID: the DN, or the value of `UserIdAttribute`.

    `fields` are in the order of the set. `unavailable` names servers that could not be asked, so that it may
    lack something.
    """

    id: str
    dn: str
    fields: Mapping[str, Field]
    unavailable: tuple[str, ...] = ()


async def make_card(
    settings: CardSettings, storages: Sequence[Sequence[Repository]], user: str, ids: Sequence[str]
) -> Card:
    """The card with those of the fields `ids` that have a value. Raises as `Cards.card` does.

    `storages` are the repositories of each `Storage`, in the order in which they are searched.
    """
    making = _Making(settings, user, ids)
    for nth, repositories in enumerate(storages):
        for repository in repositories:
            if making.wants(repository):
                await making.ask(repository, later=nth > 0)
    return making.card()


@final
class _Making:
    """A card as far as it is known."""

    def __init__(self, settings: CardSettings, user: str, ids: Sequence[str]) -> None:
        self._user = user
        self._ids = ids
        self._only_by_link = settings.search_only_by_common_field
        self._link_id = settings.storages[0].common_field if settings.storages else ""
        self._link = ""
        self._found: tuple[str, str] | None = None
        """Sametime ID and DN."""
        self._fields: dict[str, Field] = {}
        self._failures: list[tuple[Repository, DirectoryError]] = []

    def wants(self, repository: Repository) -> bool:
        """Whether this server could add something."""
        return self._found is None or bool(repository.details(self._gaps()))

    async def ask(self, repository: Repository, *, later: bool) -> None:
        """Take what this server has of the person; `later` when it belongs to another storage than the first.

        Raises AmbiguousNameError when it is not known yet who is meant, and the server knows several.
        """
        try:
            entry = await self._entry(repository, later=later)
        except AmbiguousNameError:
            if self._found is None:
                raise
        except DirectoryError as error:
            self._failures.append((repository, error))
        else:
            if entry is not None:
                self._take(repository, entry)

    def card(self) -> Card:
        if self._found is None:
            if self._failures:
                raise self._failures[0][1]
            raise UnknownNameError("nobody is found by this name")
        ident, dn = self._found
        return Card(
            id=ident,
            dn=dn,
            fields={each: self._fields[each] for each in self._ids if each in self._fields},
            unavailable=tuple(repository.server.host for repository, _ in self._failures),
        )

    def _gaps(self) -> list[str]:
        return [ident for ident in self._ids if ident not in self._fields]

    async def _entry(self, repository: Repository, *, later: bool) -> SearchResultEntry | None:
        wanted = repository.details([*self._gaps(), self._link_id])
        attributes = [name for detail in wanted for name in detail.attributes]
        if repository.server.user_id_attribute:
            attributes.append(repository.server.user_id_attribute)
        for question in self._questions(repository, later=later):
            entry = await repository.find(question, attributes)
            if entry is not None:
                return entry
        return None

    def _questions(self, repository: Repository, *, later: bool) -> Iterator[Question]:
        storage, server = repository.storage, repository.server
        asked: list[Question | None] = []
        if not (later and self._only_by_link):
            if self._found is None:
                asked += by_user(server, self._user)
            else:
                asked.append(by_id(server, self._found[0]))
        if self._link:
            asked.append(by_common_field(storage, server, self._link_id, self._link))
        return (question for question in asked if question is not None)

    def _take(self, repository: Repository, entry: SearchResultEntry) -> None:
        self._found = self._found or (sametime_id(entry, repository.server), entry.dn)
        self._fields |= fields_of(repository.details(self._gaps()), entry.attributes)
        for detail in repository.details([self._link_id]):
            self._link = self._link or link_of(detail, entry.attributes)
