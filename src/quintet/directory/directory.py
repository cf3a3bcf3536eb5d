"""The tasks of a community, over separate connections for each, protected as chosen."""

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar, final

from quintet.config import Settings
from quintet.directory import authenticate, group_members, resolve, user_groups, verified
from quintet.directory.anonymous import search_refusals
from quintet.directory.authenticate import ConstantTimeRefusal
from quintet.directory.browse import Browsing
from quintet.directory.connections import Connections
from quintet.directory.connector import ConnectOverride
from quintet.directory.errors import DirectoryUnavailableError, UnencryptedBindError, UnreachableReason
from quintet.directory.events import Trace
from quintet.directory.records import (
    ConnectionStatus,
    Group,
    Membership,
    Page,
    Person,
    Resolution,
    VerifiedPerson,
)
from quintet.directory.services import TASKS, Protection
from quintet.directory.snapshot import Snapshot

P = ParamSpec("P")
T = TypeVar("T")


@final
class Directory:
    """The tasks. Open it with `async with`, or with `open` and `close`.

    `source` is the settings, or the `Connections` to use, which the caller opens, reloads and closes. With
    settings, `route` connects elsewhere while names are checked against the configured hosts, and `trace` is
    told what happens.

    All tasks raise `DirectoryError`s: DirectoryUnavailableError, UntrustedServerError and
    UnencryptedBindError when a server could not be asked, and those that each names.
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
        self._browsing = Browsing()
        self._refusals = ConstantTimeRefusal()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self, *, check: bool = True) -> None:
        """Make ready, as `Connections.open` does, unless the connections are shared."""
        if self._owner:
            await self.connections.open(check=check)

    async def close(self) -> None:
        """Close every connection, unless they are shared. Requests in flight end with an error."""
        if self._owner:
            await self.connections.close()

    async def drain(self, seconds: float) -> None:
        """Wait until every request is answered, `seconds` at most, and close as `close` does."""
        if self._owner:
            await self.connections.drain(seconds)

    # The tasks.

    async def authenticate(self, name: str, password: str) -> Person:
        """The person, if the password is theirs.

        Raises AuthenticationError, in the same words whatever was wrong.
        """
        return await self._do(authenticate.authenticate, self._refusals, name, password)

    async def verify(
        self, name: str, password: str, *, attributes: Sequence[str] = (), unencrypted: bool = False
    ) -> VerifiedPerson:
        """As `authenticate`, with what applications may grant something for.

        That is the person's groups and the values of these attributes. What crossed an unencrypted connection
        does not count, unless `unencrypted` is set and there is no better one.
        """
        return await self._do(
            verified.verify, self._refusals, name, password, attributes=attributes, unencrypted=unencrypted
        )

    async def recheck(
        self,
        known: VerifiedPerson,
        name: str,
        *,
        attributes: Sequence[str] = (),
        unencrypted: bool = False,
    ) -> VerifiedPerson | None:
        """What holds now for a person who signed in with this name before.

        None when the entry is gone, has another name, or is disabled. Over an unencrypted connection, groups
        can be lost, and none are added.
        """
        return await self._do(verified.recheck, known, name, attributes=attributes, unencrypted=unencrypted)

    async def resolve_login(self, name: str) -> Person:
        """The one person with this login name. Raises UnknownNameError, AmbiguousNameError."""
        return await self._do(authenticate.resolve_login, name)

    async def resolve(self, name: str, *, people: bool = True, groups: bool = True) -> Resolution:
        """People and groups for a name as typed."""
        return await self._do(resolve.resolve, name, people=people, groups=groups)

    async def browse(self, dn: str | None = None, *, page_size: int = 100, token: str | None = None) -> Page:
        """One page of the level below `dn`, or of the top.

        Raises BrowsingDisabledError, OutOfScopeError, UnknownNameError, InvalidPageTokenError.
        """
        return await self._do(self._browsing.browse, dn, page_size=page_size, token=token)

    async def members(self, group: str, *, limit: int | None = None) -> Membership:
        """The content of a public group, by name or DN. Raises UnknownGroupError, AmbiguousNameError."""
        return await self._do(group_members.members, group, limit=limit)

    async def groups_of(self, person: Person, *, depth: int = user_groups.DEPTH) -> tuple[Group, ...]:
        """The groups that a person belongs to, `depth` levels of them; the direct ones are level 1."""
        return await self._do(user_groups.groups_of, person, depth=depth)

    async def group_levels(
        self, person: Person, *, depth: int = user_groups.DEPTH
    ) -> tuple[user_groups.GroupLevel, ...]:
        """The same groups, each with its level."""
        return await self._do(user_groups.group_levels, person, depth=depth)

    async def search_refusals(self) -> tuple[DirectoryUnavailableError, ...]:
        """Why servers without an account can't be searched, where they refuse anonymous clients."""
        return await self._do(search_refusals)

    async def bind_unknown(self, password: str) -> None:
        """A bind that is refused without a failure counted for any account: the entry does not exist."""
        await self._do(_bind_unknown, password)

    async def _do(
        self, task: Callable[Concatenate[Snapshot, P], Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The one way to the pools: whatever becomes of the task, the snapshot is left."""
        snapshot = self.connections.enter()
        try:
            if not snapshot.servers:
                raise DirectoryUnavailableError.because(
                    UnreachableReason.NO_SERVER,
                    fix="Add a Connection with a HostName to StCommunityConfig.xml",
                )
            return await task(snapshot, *args, **kwargs)
        finally:
            snapshot.leave()

    # Administration.

    @property
    def protection(self) -> Protection:
        """The level of the server that encrypts least."""
        return self.connections.protection

    def status(self) -> tuple[ConnectionStatus, ...]:
        """Every connection of the tasks, by service and server."""
        return self.connections.status(TASKS)

    @property
    def refused(self) -> UnencryptedBindError | None:
        """Why a connection is missing that would need the account's password sent unencrypted, if one is."""
        return self.connections.refused(TASKS)

    async def connect_all(self) -> tuple[ConnectionStatus, ...]:
        """Open the connections of every task at every server; the rows say what failed."""
        return await self.connections.connect_all(TASKS)

    async def reload(self, settings: Settings) -> None:
        """Work with these settings from now on, as `Connections.reload` does."""
        await self.connections.reload(settings)


async def _bind_unknown(snapshot: Snapshot, password: str) -> None:
    await authenticate.bind_unknown(snapshot.servers[0], password)
