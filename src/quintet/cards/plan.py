"""What a card takes from each server: made once for a set of fields and a kind of caller, then used often."""

from collections.abc import Iterable
from typing import final

import structlog

from quintet.cards.fields import CardFields
from quintet.cards.lookup import Question, person_filter
from quintet.config import CardServer, CardSettings, CardStorage
from quintet.directory import AmbiguousNameError, Service, ServicePool, tell_search, unavailable
from quintet.ldap import (
    ClientLimitError,
    Entry,
    InvalidDNSyntax,
    LdapError,
    NoSuchObject,
    SearchResult,
    SizeLimitExceeded,
)
from quintet.ldap.prepared import PreparedRead, PreparedSearch

_log = structlog.get_logger()

ANONYMOUS = 0
AUTHENTICATED = 1

_NO_ATTRIBUTES = ("1.1",)
_ENOUGH_TO_DOUBT = 2


def ids_in_set(settings: CardSettings, set_id: int) -> tuple[str, ...]:
    """The Detail Ids of a set, in its order; those without a Detail are dropped. An unknown set has none."""
    known = {detail.id for storage in settings.storages for detail in storage.details}
    return tuple(ident for ident in dict.fromkeys(settings.sets.get(set_id, ())) if ident in known)


def ids_to_show(
    settings: CardSettings, *, set_id: int, only: Iterable[str] | None = None, authenticated: bool
) -> tuple[str, ...]:
    """The Detail Ids that a caller gets: those of the set, or any that are asked for by Id with `only`.

    Anonymous callers get nothing that is not in set 0, whatever they ask for (row C71).
    """
    if not authenticated:
        public = ids_in_set(settings, ANONYMOUS)
        return public if only is None else tuple(ident for ident in dict.fromkeys(only) if ident in public)
    if only is None:
        return ids_in_set(settings, set_id)
    known = {detail.id for storage in settings.storages for detail in storage.details}
    return tuple(ident for ident in dict.fromkeys(only) if ident in known)


@final
class Repository:
    """One place where people's cards may be: a server, and what is asked of it for some fields.

    `is_later` when it belongs to another storage than the first.
    """

    def __init__(
        self,
        storage: CardStorage,
        server: CardServer,
        pool: ServicePool,
        ids: tuple[str, ...],
        link_id: str,
        *,
        is_later: bool,
    ) -> None:
        self.storage = storage
        self.server = server
        self.is_later = is_later
        self.fields = CardFields([detail for detail in storage.details if detail.id in ids])
        self.link = CardFields([detail for detail in storage.details if detail.id == link_id])
        own = (server.user_id_attribute,) if server.user_id_attribute else ()
        asked = dict.fromkeys((*self.fields.attributes, *self.link.attributes, *own))
        attributes = tuple(asked) or _NO_ATTRIBUTES
        self._pool = pool
        self._read_filter: bytes = person_filter(server).encode()
        self._read = PreparedRead(self._read_filter, attributes)
        self._search = PreparedSearch(str(server.base), server.scope, attributes, limit=_ENOUGH_TO_DOUBT)

    async def find(self, question: Question) -> Entry | None:
        """The one entry that the question finds; None when it finds none.

        Raises AmbiguousNameError when it finds several; DirectoryUnavailableError, UntrustedServerError and
        UnencryptedBindError when there is no answer.
        """
        if question.reads:
            tree = self._read_filter
            query = self._read.query(question.base)
        else:
            tree = question.filter if isinstance(question.filter, bytes) else question.filter.encode()
            query = self._search.query(tree)
        (outcome,) = await self._pool.find_all((query,))
        tell_search(Service.BUSINESS_CARD, self.server.host, question.base, question.scope, tree, outcome)
        if type(outcome) is SearchResult:
            if len(outcome.entries) > 1:
                raise self._several()
            return outcome.entries[0] if outcome.entries else None
        match outcome:
            case NoSuchObject() | InvalidDNSyntax():
                return None
            case SizeLimitExceeded() | ClientLimitError():
                raise self._several() from outcome
        assert isinstance(outcome, LdapError)
        raise unavailable(outcome, self._pool.endpoint) from outcome

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


@final
class Plan:
    """The servers to ask, in their order, for the fields `ids`.

    `link_id` is the Id of the field that links the repositories, and `only_by_link` whether later storages
    are asked by nothing else.
    """

    def __init__(self, settings: CardSettings, pools: Iterable[ServicePool], ids: tuple[str, ...]) -> None:
        self.ids = ids
        self.link_id = settings.storages[0].common_field if settings.storages else ""
        self.only_by_link = settings.search_only_by_common_field
        each = iter(pools)
        self.repositories = tuple(
            Repository(storage, server, next(each), ids, self.link_id, is_later=nth > 0)
            for nth, storage in enumerate(settings.storages)
            for server in storage.servers
        )
