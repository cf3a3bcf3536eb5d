"""What one request works with: settings and their pools, which a reload replaces and never changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from quintet.config.settings import DirectorySettings, ServerSettings, Settings
from quintet.directory.account_state import AccountState
from quintet.directory.connector import guarded_bind
from quintet.directory.events import Trace, Warned
from quintet.directory.link import PooledConnection
from quintet.directory.pool import Pool
from quintet.directory.services import Service
from quintet.directory.steps import tell_bind, tell_search
from quintet.ldap import Control, PasswordPolicy
from quintet.ldap.dn import DN
from quintet.ldap.errors import (
    AdminLimitExceeded,
    ClientLimitError,
    LdapError,
    NoSuchObject,
    ResultError,
    SizeLimitExceeded,
    TimeLimitExceeded,
)
from quintet.ldap.filters import Filter
from quintet.ldap.messages import BASE_OBJECT, SearchResultEntry
from quintet.ldap.results import SearchResult


@dataclass(frozen=True, slots=True)
class Found:
    """The entries of a search; `cut` when there were more than the limit, ours or the server's.

    `missing_base` says which base was not there to be searched.
    """

    entries: Sequence[SearchResultEntry]
    cut: bool = False
    missing_base: str | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """One directory, as the tasks see it: its settings, and a pool for each task."""

    settings: ServerSettings
    pools: dict[Service, Pool]
    trace: Trace | None = None
    _told: set[DN] = field(default_factory=set, compare=False, repr=False)

    @property
    def label(self) -> str:
        return self.settings.label

    @property
    def bases(self) -> tuple[DN, ...]:
        """The bases for people and groups, once each."""
        return tuple(dict.fromkeys((self.settings.person_base, self.settings.group_base)))

    async def search(
        self,
        task: Service,
        base: DN | str,
        scope: int,
        filter: Filter | bytes,  # noqa: A002 (LDAP's own word)
        attributes: Sequence[str],
        *,
        limit: int = 0,
        in_part: bool = False,
    ) -> Found:
        """A search over the task's connection, repeated once if that breaks. No base, no entries.

        The limit holds for servers that do not keep to it, too. `in_part`: what came before the server's
        time or its administrator's patience was over will do.
        """
        name, told = str(base), (task.value, self.label, str(base), scope, filter)

        async def operation(link: PooledConnection) -> SearchResult:
            return await link.connection.search(
                name, scope, filter, attributes, size_limit=limit, max_entries=limit or None
            )

        try:
            found = await self.pools[task].run(operation)
        except (SizeLimitExceeded, ClientLimitError) as error:
            partial = error.partial
            tell_search(*told, partial.entries if partial else (), error)
            return Found(partial.entries if partial else (), cut=True)
        except (TimeLimitExceeded, AdminLimitExceeded) as error:
            tell_search(*told, error=error)
            if not (in_part and error.partial and error.partial.entries):
                raise
            return Found(error.partial.entries, cut=True)
        except NoSuchObject as error:
            tell_search(*told, error=error)
            missing = None if scope == BASE_OBJECT else self.missing_base(task, DN.parse(name))
            return Found((), missing_base=missing)
        except LdapError as error:
            tell_search(*told, error=error)
            raise
        tell_search(*told, found.entries)
        return Found(found.entries)

    async def read(
        self,
        task: Service,
        dn: DN | str,
        filter: Filter | bytes,  # noqa: A002 (LDAP's own word)
        attributes: Sequence[str],
    ) -> SearchResultEntry | None:
        """One entry by its name; None when it is not there, or the filter does not fit it."""
        found = await self.search(task, dn, BASE_OBJECT, filter, attributes, limit=1)
        return found.entries[0] if found.entries else None

    def missing_base(self, task: Service, base: DN) -> str:
        """Which configured base is not there, in words. The administrator is told once."""
        settings = self.settings
        keys = [
            key
            for key, each in (
                ("PersonResolveBase", settings.person_base),
                ("GroupResolveBase", settings.group_base),
            )
            if each == base
        ]
        named = f"{' and '.join(keys)} {str(base)!r}{'' if base else ' (the whole directory)'}"
        if self.trace and base not in self._told:
            self._told.add(base)
            self.trace(Warned(task.value, self.label, f"{named} is not there, or hidden from the account"))
        return f"{named} at {self.label}"

    async def bind(self, dn: str, password: str) -> tuple[AccountState, ResultError | None]:
        """Check a user's password. The connection serves the next bind as it is.

        Returns what the server says about the account, and the error if it refuses. The request asks for the
        password policy control: without it OpenLDAP tells nobody that a password must be changed.
        """

        async def operation(link: PooledConnection) -> tuple[Control, ...]:
            return await guarded_bind(link.connection, link.endpoint, dn, password, (PasswordPolicy(),))

        told = Service.AUTHENTICATE.value, self.label, dn
        try:
            controls = await self.pools[Service.AUTHENTICATE].run(operation, "bind")
        except ResultError as error:
            return tell_bind(*told, error), error
        return tell_bind(*told, controls), None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The servers in `SearchOrder`, and the settings that hold for all."""

    settings: Settings
    servers: tuple[Server, ...]
    trace: Trace | None = None

    @property
    def directory(self) -> DirectorySettings:
        return self.settings.directory
