"""The directories to look at: each `Connection`, and each `StorageDetails` of the cards."""

from collections.abc import Iterator
from dataclasses import dataclass

from quintet.config import Account, CardServer, CardStorage, ServerSettings, Settings
from quintet.diagnostics import Place
from quintet.directory import TASKS, Endpoint, Service, endpoints_of


@dataclass(frozen=True, slots=True)
class DirectorySite:
    """One directory as one of its services sees it. `line` says how it is reached for searches.

    `endpoints` are all its addresses, one each, those of the other tasks included.
    """

    place: Place
    line: Endpoint
    endpoints: tuple[Endpoint, ...]
    account: Account | None
    server: ServerSettings | None = None
    card: CardServer | None = None
    storage: CardStorage | None = None

    @property
    def name(self) -> str:
        return f"{'business cards at' if self.card else 'the server'} {self.line.server}"

    @property
    def account_keys(self) -> str:
        return "UserName and Password (or UserEncodedAuth)" if self.card else "BindEntryDn and BindEntryPwd"


def sites_of(settings: Settings) -> Iterator[DirectorySite]:
    """The servers in their order, then those of the cards."""
    found = endpoints_of(settings)
    for nth, server in enumerate(settings.servers):
        if server.hosts:
            every = tuple(each for task in TASKS for each in found[task, nth].hosts)
            line = found[Service.RESOLVE_NAMES, nth]
            yield DirectorySite(server.place, line, every, server.account, server=server)
    storages = settings.cards.storages if settings.cards else ()
    for nth, (storage, card) in enumerate((each, card) for each in storages for card in each.servers):
        if card.host:
            line = found[Service.BUSINESS_CARD, nth]
            yield DirectorySite(card.place, line, line.hosts, card.account, card=card, storage=storage)
