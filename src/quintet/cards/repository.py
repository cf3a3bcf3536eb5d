"""One place where people's cards may be: a server, its mapping of attributes, its connections."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from quintet.cards.endpoint import LABEL
from quintet.cards.lookup import Question
from quintet.config.settings import CardServer, CardStorage, Detail
from quintet.directory.connector import unreachable
from quintet.directory.errors import AmbiguousNameError
from quintet.directory.link import PooledConnection
from quintet.directory.pool import Pool
from quintet.directory.steps import tell_search
from quintet.ldap.errors import (
    ClientLimitError,
    InvalidDNSyntax,
    NoSuchObject,
    ResultError,
    SizeLimitExceeded,
)
from quintet.ldap.messages import SearchResultEntry
from quintet.ldap.results import SearchResult

_log = structlog.get_logger()

_NO_ATTRIBUTES = ("1.1",)
_ENOUGH_TO_DOUBT = 2


@dataclass(frozen=True, slots=True)
class Repository:
    storage: CardStorage
    server: CardServer
    pool: Pool

    def details(self, ids: Sequence[str]) -> tuple[Detail, ...]:
        """The mapping of those of the Ids that this repository knows."""
        return tuple(detail for detail in self.storage.details if detail.id in ids)

    async def find(self, question: Question, attributes: Sequence[str]) -> SearchResultEntry | None:
        """The one entry that the question finds; None when it finds nobody.

        Raises AmbiguousNameError when it finds more than one; DirectoryUnavailableError, UntrustedServerError, UnencryptedBindError.
        """

        async def search(link: PooledConnection) -> SearchResult:
            return await link.connection.search(
                question.base,
                question.scope.value,
                question.filter,
                tuple(dict.fromkeys(attributes)) or _NO_ATTRIBUTES,
                size_limit=_ENOUGH_TO_DOUBT,
                max_entries=_ENOUGH_TO_DOUBT,
            )

        told = LABEL, self.server.host, question.base, question.scope.value, question.filter
        try:
            entries = (await self.pool.run(search)).entries
        except (NoSuchObject, InvalidDNSyntax) as error:
            tell_search(*told, error=error)
            return None
        except (SizeLimitExceeded, ClientLimitError) as error:
            tell_search(*told, error.partial.entries if error.partial else (), error)
            raise self._several() from error
        except ResultError as error:
            tell_search(*told, error=error)
            raise unreachable(error, self.pool.line.endpoints[0]) from error
        tell_search(*told, entries)
        if len(entries) > 1:
            raise self._several()
        return entries[0] if entries else None

    def _several(self) -> AmbiguousNameError:
        _log.warning(
            "a card was asked for, and several people were found, so none is shown", server=self.server.host
        )
        return AmbiguousNameError(
            "several people are found by this name, so none is shown",
            task=LABEL,
            server=self.server.host,
            fix="Ask by the DN, or by what only one of them has",
        )
