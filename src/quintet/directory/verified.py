"""What applications grant something for: who signed in, their groups, and values of their entry.

Someone on the network could add a person to a group on an unencrypted connection. So what is told here came
over encrypted connections. Where only logins are encrypted, it is read at sign-in, over the connection that
is bound as the person. Later, without the password, only an unencrypted connection is left: what comes over
it may take a group away, and never adds one. Therefore it is asked at sign-in, too: a group that the service
account does not see counts for nothing from the beginning, and not only until the first recheck.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from quintet.directory.authenticate import ConstantTimeRefusal, authenticate, resolve_login
from quintet.directory.entries import ANY_ENTRY, identity, texts
from quintet.directory.errors import AmbiguousNameError, UnknownNameError
from quintet.directory.kinds import ACCOUNT_DISABLED
from quintet.directory.queries import answered_badly
from quintet.directory.records import Group, Person, VerifiedPerson
from quintet.directory.services import Service
from quintet.directory.snapshot import Server, Snapshot
from quintet.directory.user_groups import levels_at, server_of
from quintet.ldap import ClientLimitError, Connection, Entry, LdapError, ResultError
from quintet.ldap.prepared import ConnectionSearcher

_GROUPS, _LOOKUPS = Service.GROUP_CONTENT, Service.RESOLVE_LOGIN

_CONTROL, _LOCKED_AT = "userAccountControl", "pwdAccountLockedTime"
_SWITCHES = ("nsAccountLock", "loginDisabled")
_EXPIRES, _ENDS = "accountExpires", "pwdEndTime"
_UNIX_EPOCH = 116_444_736_000_000_000
"""1970 in the unit of `accountExpires`, 100 ns since 1601 (S33)."""
_FOR_EVER = "000001010000Z"
"""`pwdAccountLockedTime` of an account that an administrator locked (draft-behera, 5.3.3)."""


async def verify(
    snapshot: Snapshot,
    refusals: ConstantTimeRefusal,
    name: str,
    password: str,
    *,
    attributes: Sequence[str] = (),
    unencrypted: bool = False,
) -> VerifiedPerson:
    """As `authenticate`, with groups and the values of these attributes.

    `unencrypted` believes unencrypted connections where there are no others.
    """
    read: list[VerifiedPerson] = []

    async def as_the_person(server: Server, connection: Connection, person: Person) -> None:
        read[:] = await _read_as(server, connection, person, attributes)

    person = await authenticate(snapshot, refusals, name, password, while_bound=as_the_person)
    server = server_of(snapshot, person)
    if server is None:
        return VerifiedPerson(person)
    if _may_be_believed(server):
        return await _read(server, person, attributes)
    if read:
        return _without(read[0], await _groups(server, person))
    return await _read(server, person, attributes) if unencrypted else VerifiedPerson(person)


async def recheck(
    snapshot: Snapshot,
    known: VerifiedPerson,
    name: str,
    *,
    attributes: Sequence[str] = (),
    unencrypted: bool = False,
) -> VerifiedPerson | None:
    """What holds now for a person who signed in with this name before; None when they may no longer.

    That is so when the name is no longer that of the entry, or the account is disabled or expired. A lock
    after wrong passwords is no reason: any client can bring it about.
    """
    try:
        person = await resolve_login(snapshot, name)
    except (UnknownNameError, AmbiguousNameError):
        return None
    server = server_of(snapshot, known.person)
    if server is None or identity(person.dn) != identity(known.person.dn):
        return None
    if await _is_closed(server, person):
        return None
    logins_are_safer = server.pools[Service.AUTHENTICATE].endpoint.encrypted
    if _may_be_believed(server) or (unencrypted and not logins_are_safer):
        return await _read(server, person, attributes)
    if known.groups is None:
        return known
    return _without(known, await _groups(server, known.person))


def _may_be_believed(server: Server) -> bool:
    """Whether lookups and groups are encrypted."""
    return all(server.pools[each].endpoint.encrypted for each in (_GROUPS, _LOOKUPS))


async def _read(server: Server, person: Person, attributes: Sequence[str]) -> VerifiedPerson:
    groups = await _groups(server, person)
    entry = await _entry(server, person, attributes) if attributes else None
    return VerifiedPerson(person, groups, _values(entry, attributes))


async def _groups(server: Server, person: Person) -> tuple[Group, ...]:
    try:
        return tuple(each.group for each in await levels_at(server, person.dn))
    except LdapError as error:
        raise answered_badly(error, server, _GROUPS) from error


async def _entry(server: Server, person: Person, attributes: Sequence[str]) -> Entry | None:
    try:
        return await server.read(_LOOKUPS, person.dn, ANY_ENTRY, attributes)
    except LdapError as error:
        raise answered_badly(error, server, _LOOKUPS) from error


async def _read_as(
    server: Server, connection: Connection, person: Person, attributes: Sequence[str]
) -> list[VerifiedPerson]:
    """Groups and attributes as the person sees them; nothing where the server refuses."""
    try:
        searcher = ConnectionSearcher(connection)
        groups = await levels_at(server.over(_GROUPS, searcher, Service.AUTHENTICATE), person.dn)
        entry = None
        if attributes:
            bound = server.over(_LOOKUPS, searcher, Service.AUTHENTICATE)
            entry = await bound.read(_LOOKUPS, person.dn, ANY_ENTRY, attributes)
    except (ResultError, ClientLimitError) as error:
        server.warn_once(Service.AUTHENTICATE, f"users may not read their own groups: {error}")
        return []
    return [VerifiedPerson(person, tuple(each.group for each in groups), _values(entry, attributes))]


def _values(entry: Entry | None, attributes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    return {each: tuple(texts(entry, each)) if entry else () for each in attributes}


def _without(known: VerifiedPerson, seen: Sequence[Group]) -> VerifiedPerson:
    """Without the groups that an unencrypted connection does not show."""
    keys = {identity(each.dn) for each in seen}
    return replace(known, groups=tuple(each for each in known.groups or () if identity(each.dn) in keys))


async def _is_closed(server: Server, person: Person) -> bool:
    """Whether the account is disabled or has expired, as far as it may be seen.

    Active Directory, 389 Directory Server and eDirectory, OpenLDAP.
    """
    entry = await _entry(server, person, (_CONTROL, _LOCKED_AT, _EXPIRES, _ENDS, *_SWITCHES))
    if entry is None:
        return True
    now = datetime.now(UTC)
    return (
        bool(_number(entry, _CONTROL) & int(ACCOUNT_DISABLED))
        or any(each.casefold() == "true" for name in _SWITCHES for each in texts(entry, name))
        or _FOR_EVER in texts(entry, _LOCKED_AT)
        or 0 < _number(entry, _EXPIRES) <= _UNIX_EPOCH + int(now.timestamp() * 10**7)
        or any(each <= f"{now:%Y%m%d%H%M%S}" for each in texts(entry, _ENDS))
    )


def _number(entry: Entry, attribute: str) -> int:
    text = (texts(entry, attribute) or ["0"])[0]
    return int(text) if text.isdecimal() and len(text) <= 19 else 0
