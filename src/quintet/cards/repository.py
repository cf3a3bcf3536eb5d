"""One place where people's cards may be: a server, its mapping of attributes, its connections."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from quintet.cards.lookup import Question
from quintet.config import CardServer, CardStorage, Detail
from quintet.directory import AmbiguousNameError, Service, ServicePool, tell_search, unavailable
from quintet.ldap.errors import (
    ClientLimitError,
    InvalidDNSyntax,
    LdapError,
    NoSuchObject,
    SizeLimitExceeded,
)
from quintet.ldap.messages import SearchResultEntry
from quintet.ldap.prepared import PreparedSearch

_log = structlog.get_logger()

_NO_ATTRIBUTES = ("1.1",)
_ENOUGH_TO_DOUBT = 2


@dataclass(frozen=True, slots=True)
class Repository:
    storage: CardStorage
    server: CardServer
    pool: ServicePool

    def details(self, ids: Sequence[str]) -> tuple[Detail, ...]:
        """The mapping of those of the Ids that this repository knows."""
        return tuple(detail for detail in self.storage.details if detail.id in ids)

    async def find(self, question: Question, attributes: Sequence[str]) -> SearchResultEntry | None:
        """The one entry that the question finds; None when it finds nobody.

        Raises AmbiguousNameError when it finds more than one; DirectoryUnavailableError,
        UntrustedServerError, UnencryptedBindError.
        """
        search = PreparedSearch(
            question.base,
            question.scope.value,
            tuple(dict.fromkeys(attributes)) or _NO_ATTRIBUTES,
            limit=_ENOUGH_TO_DOUBT,
        )
        tree = question.filter if isinstance(question.filter, bytes) else question.filter.encode()
        (outcome,) = await self.pool.find_all((search.query(tree),))
        told = self.server.host, question.base, question.scope.value
        tell_search(Service.BUSINESS_CARD, *told, tree, outcome)
        match outcome:
            case NoSuchObject() | InvalidDNSyntax():
                return None
            case SizeLimitExceeded() | ClientLimitError():
                raise self._several() from outcome
            case LdapError():
                raise unavailable(outcome, self.pool.endpoint) from outcome
        entries = outcome.entries
        if len(entries) > 1:
            raise self._several()
        return entries[0] if entries else None

    def _several(self) -> AmbiguousNameError:
        _log.warning(
            "a card was asked for, and several people were found, so none is shown", server=self.server.host
        )
        return AmbiguousNameError(
            "several people are found by this name, so none is shown",
            service=Service.BUSINESS_CARD,
            server=self.server.host,
            fix="Ask by the DN, or by what only one of them has",
        )
