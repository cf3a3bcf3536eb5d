"""The directories to look at: each `Connection`, and each `StorageDetails` of the cards."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from quintet.cards.endpoint import pool_config as card_line
from quintet.config.settings import Account, CardServer, CardStorage, ServerSettings, Settings
from quintet.diagnostics import Place
from quintet.directory.endpoint import Endpoint, PoolConfig, pool_configs
from quintet.directory.services import Service


@dataclass(frozen=True, slots=True)
class Site:
    """One directory as one of its services sees it. `line` says how it is reached for searches.

    `endpoints` are all its addresses, those of the other tasks included.
    """

    place: Place
    line: PoolConfig
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

    def at(self, endpoint: Endpoint) -> PoolConfig:
        """The line to one host alone."""
        return replace(self.line, endpoints=(endpoint,))


def sites_of(settings: Settings) -> Iterator[Site]:
    """The servers in their order, then those of the cards."""
    lines = pool_configs(settings)
    for nth, server in enumerate(settings.servers):
        if server.hosts:
            every = tuple(endpoint for task in Service for endpoint in lines[task, nth].endpoints)
            line = lines[Service.RESOLVE_NAMES, nth]
            yield Site(server.place, line, every, server.account, server=server)
    for storage in settings.cards.storages if settings.cards else ():
        for card in storage.servers:
            if card.host:
                assert settings.cards is not None
                line = card_line(settings.cards, storage, card)
                yield Site(card.place, line, line.endpoints, card.account, card=card, storage=storage)
