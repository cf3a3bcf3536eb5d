"""Putting a card together from several repositories (reference 4.7): what was found first stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quintet.cards.fields import Field, fields_of
from quintet.cards.lookup import Question, by_common_field, by_user
from quintet.cards.repository import Repository
from quintet.config.settings import CardSettings
from quintet.directory.entries import sametime_id
from quintet.directory.errors import DirectoryError, UnknownName
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


@dataclass(slots=True)
class _Search:
    """What is known so far."""

    user: str
    only_by_common_field: bool
    common_field: str
    common_value: str | None = None
    first: tuple[Repository, SearchResultEntry] | None = None

    def questions(self, repository: Repository, *, later: bool) -> list[Question]:
        """How to ask: by the user, then by the common field."""
        asked = []
        if not (later and self.only_by_common_field):
            asked.append(by_user(repository.server, self.user))
        if later and self.common_value is not None:
            storage, server = repository.storage, repository.server
            asked.append(by_common_field(storage, server, self.common_field, self.common_value))
        return [question for question in asked if question is not None]


async def make_card(
    settings: CardSettings, repositories: Sequence[Repository], user: str, ids: Sequence[str]
) -> Card:
    """The card with those of the fields `ids` that have a value. Raises as `Cards.card` does."""
    common_field = repositories[0].storage.common_field if repositories else ""
    search = _Search(user, settings.search_only_by_common_field, common_field)
    fields: dict[str, Field] = {}
    failures: list[tuple[Repository, DirectoryError]] = []
    for repository in repositories:
        gaps = [ident for ident in ids if ident not in fields]
        if search.first is not None and not repository.details(gaps):
            continue
        try:
            entry = await _entry(search, repository, gaps, later=repository is not repositories[0])
        except DirectoryError as error:
            failures.append((repository, error))
            continue
        if entry is None:
            continue
        search.first = search.first or (repository, entry)
        found = fields_of(repository.details([*gaps, common_field]), entry.attributes)
        search.common_value = search.common_value or _text(found.get(common_field))
        fields.update((ident, field) for ident, field in found.items() if ident in gaps)
    if search.first is None:
        if failures:
            raise failures[0][1]
        raise UnknownName("nobody is found by this name, or more than one")
    home, entry = search.first
    return Card(
        id=sametime_id(entry, home.server),
        dn=entry.dn,
        fields={ident: fields[ident] for ident in ids if ident in fields},
        unavailable=tuple(repository.server.host for repository, _ in failures),
    )


async def _entry(
    search: _Search, repository: Repository, gaps: Sequence[str], *, later: bool
) -> SearchResultEntry | None:
    wanted = repository.details([*gaps, search.common_field])
    attributes = [name for detail in wanted for name in detail.attributes]
    if repository.server.user_id_attribute:
        attributes.append(repository.server.user_id_attribute)
    for question in search.questions(repository, later=later):
        entry = await repository.find(question, attributes)
        if entry is not None:
            return entry
    return None


def _text(field: Field | None) -> str | None:
    return field.value if field is not None and isinstance(field.value, str) else None
