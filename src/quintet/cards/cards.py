"""Business cards, over connections of their own: found in one repository or more, and put together."""

from collections import OrderedDict
from collections.abc import Iterable
from types import TracebackType
from typing import Self, final

from quintet.cards.card import Card, make_card
from quintet.cards.plan import AUTHENTICATED, Plan, ids_to_show
from quintet.config import CardSettings, Settings
from quintet.directory import (
    Connections,
    ConnectionStatus,
    ConnectOverride,
    Service,
    Snapshot,
    Trace,
    UnencryptedBindError,
)

_NO_CARDS = CardSettings(storages=(), sets={})
_SERVICES = (Service.BUSINESS_CARD,)


_PLANS_KEPT = 256

_Kind = tuple[int, tuple[str, ...] | None, bool]
"""A set, the fields asked for by Id, and whether the caller is authenticated."""


@final
class _Plans:
    """The plans for one snapshot, as many as were used lately."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._settings = snapshot.settings.cards or _NO_CARDS
        self._plans: OrderedDict[_Kind, Plan] = OrderedDict()

    def plan(self, kind: _Kind) -> Plan:
        plan = self._plans.get(kind)
        if plan is None:
            set_id, only, authenticated = kind
            ids = ids_to_show(self._settings, set_id=set_id, only=only, authenticated=authenticated)
            plan = self._plans[kind] = Plan(self._settings, self.snapshot.card_pools, ids)
            if len(self._plans) > _PLANS_KEPT:
                self._plans.popitem(last=False)
        return plan


@final
class Cards:
    """The business cards of a community; an async context manager. Connections are opened when needed.

    `source` is the settings, or the `Connections` to use, which the caller opens, reloads and closes.
    `route` and `trace` are as for `Directory`. Without business cards in the settings, no name has a card.
    """

    def __init__(
        self,
        source: Settings | Connections,
        *,
        route: ConnectOverride | None = None,
        trace: Trace | None = None,
    ) -> None:
        self._owner = not isinstance(source, Connections)
        self.connections = (
            source if isinstance(source, Connections) else Connections(source, route=route, trace=trace)
        )
        self._plans: _Plans | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Make ready. No connection is opened yet: the first card does that, or `connect_all`."""
        if self._owner:
            await self.connections.open(check=False)

    async def close(self) -> None:
        """Close every connection, unless they are shared. Requests in flight end with an error."""
        if self._owner:
            await self.connections.close()

    async def drain(self, seconds: float) -> None:
        """Wait until every request is answered, `seconds` at most, and close as `close` does."""
        if self._owner:
            await self.connections.drain(seconds)

    async def card(
        self,
        user: str,
        *,
        set_id: int = AUTHENTICATED,
        only: Iterable[str] | None = None,
        authenticated: bool = True,
    ) -> Card:
        """The card of `user`, who is named by DN, by ID, or as the search filter finds people.

        It has the fields of the set, or those that `only` names by their Detail Ids; for a caller who is not
        `authenticated` nothing that is not in set 0. Raises UnknownNameError; AmbiguousNameError when several
        people are found; DirectoryUnavailableError, UntrustedServerError or UnencryptedBindError when no
        server that may know could be asked.
        """
        snapshot = self.connections.enter()
        try:
            if self._plans is None or self._plans.snapshot is not snapshot:
                self._plans = _Plans(snapshot)
            kind = (set_id, None if only is None else tuple(only), authenticated)
            return await make_card(self._plans.plan(kind), user)
        finally:
            snapshot.leave()

    async def connect_all(self) -> tuple[ConnectionStatus, ...]:
        """Open every connection of the cards and tell what became of each."""
        return await self.connections.connect_all(_SERVICES)

    @property
    def refused(self) -> UnencryptedBindError | None:
        """Why a connection is missing that would need the account's password sent unencrypted, if one is."""
        return self.connections.refused(_SERVICES)

    def status(self) -> tuple[ConnectionStatus, ...]:
        """Every connection of the cards."""
        return self.connections.status(_SERVICES)

    async def reload(self, settings: Settings) -> None:
        """Work with these settings from now on, as `Connections.reload` does."""
        await self.connections.reload(settings)
