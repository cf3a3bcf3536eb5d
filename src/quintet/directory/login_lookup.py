"""From a login name to its one entry: by the login filter, and what is a DN or an ID as what it is (row C87).

Clients hand out IDs, and people sign in with them, too. Neither may go past the login filter, which may bar
people: an entry that is found by its DN or ID must match the filter with every comparison with the name
replaced by "has this attribute". A filter `(&(STUser=1)(uid=%s))` becomes `(&(STUser=1)(uid=*))`.

All searches of a lookup are sent at once, whatever the name looks like to the server, so that a name that
exists takes as long as one that does not.
"""

from collections.abc import Coroutine
from contextlib import suppress
from functools import lru_cache
from typing import Any

from quintet.directory.entries import identity, of_class, parsed, person
from quintet.directory.errors import AmbiguousNameError
from quintet.directory.identified import id_equality
from quintet.directory.queries import answered_badly, gather_or_cancel, is_name, name_filter
from quintet.directory.records import Person
from quintet.directory.services import Service
from quintet.directory.snapshot import FoundEntries, Server
from quintet.ldap import (
    DN,
    And,
    Filter,
    FilterSyntaxError,
    InvalidDNSyntax,
    LdapError,
    Not,
    Or,
    Present,
    Scope,
    parse,
)
from quintet.ldap.prepared import PreparedSearch

_NAME = "%s"


async def find_login(server: Server, name: str) -> Person | None:
    """The one person of this server with this login name, DN or ID; None when there is none.

    The login filter comes first. Raises AmbiguousNameError, and DirectoryError when the server does not tell.
    """
    name = name.strip()
    filled = name_filter(server.settings.login_filter.encode, name)
    if filled is None:
        return None
    asked = [(server.login_search, filled)]
    by_id = _id_filter(server, name)
    if by_id is not None:
        asked.append((server.login_search, by_id))
    work = [server.find_all(Service.RESOLVE_LOGIN, asked)]
    read = _read(server, name)
    if read is not None:
        work.append(read)
    try:
        found = [each for part in await gather_or_cancel(work) for each in part]
    except LdapError as error:
        raise answered_badly(error, server, Service.RESOLVE_LOGIN) from error
    for each in found:
        if len(each.entries) > 1 or each.cut:
            raise AmbiguousNameError(
                "several entries have this login name",
                service=Service.RESOLVE_LOGIN,
                server=server.label,
                fix="UserDnSearchFilter must find exactly one entry for each person",
            )
        if each.entries:
            return person(each.entries[0], server.settings)
    return None


def proofs(server: Server, name: str, dn: str) -> tuple[bytes, ...]:
    """The filters of which the entry of this DN must match one, so that it has the login name.

    None of them where the lookup cannot have found it.
    """
    name = name.strip()
    filled = name_filter(server.settings.login_filter.encode, name)
    if filled is None:
        return ()
    ways = [filled, _id_filter(server, name)]
    if _typed(server, name) is not None and identity(name) == identity(dn):
        ways.append(_unbarred(server))
    return tuple(each for each in ways if each is not None)


def _read(server: Server, name: str) -> Coroutine[Any, Any, list[FoundEntries]] | None:
    """Reads the entry of this DN, as it was typed (row D43); None where a search would not find it."""
    unbarred = _unbarred(server) if _typed(server, name) is not None else None
    if unbarred is None:
        return None
    search = PreparedSearch(name, Scope.BASE, server.login_attributes, limit=2)

    async def read() -> list[FoundEntries]:
        with suppress(InvalidDNSyntax):
            return await server.find_all(Service.RESOLVE_LOGIN, ((search, unbarred),))
        return []

    return read()


def _typed(server: Server, name: str) -> DN | None:
    """The name as a DN below the base, as deep as searches go."""
    settings = server.settings
    typed = parsed(name) if "=" in name and is_name(name) else None
    if not typed or not typed.is_under(settings.person_base):
        return None
    within = settings.person_scope is Scope.SUBTREE or typed.parent == settings.person_base
    return typed if within else None


def _id_filter(server: Server, name: str) -> bytes | None:
    same, open_filter = id_equality(server, name), _open_filter(server)
    return None if same is None or open_filter is None else And((*open_filter, same)).encode()


def _unbarred(server: Server) -> bytes | None:
    """Matches every entry that the login filter finds by some name."""
    open_filter = _open_filter(server)
    return None if open_filter is None else And(open_filter).encode()


def _open_filter(server: Server) -> tuple[Filter, Filter] | None:
    tree = _opened_template(server.settings.login_filter.text)
    return None if tree is None else (of_class(server.settings.person_class), tree)


@lru_cache(64)
def _opened_template(text: str) -> Filter | None:
    try:
        return _opened(parse(text))
    except FilterSyntaxError:
        return None


def _opened(tree: Filter) -> Filter | None:
    """The filter with a test for the attribute in place of each comparison with the name; else None."""
    if _NAME not in str(tree):
        return tree
    match tree:
        case And(filters=parts) | Or(filters=parts):
            opened = [_opened(each) for each in parts]
            kept = tuple(each for each in opened if each is not None)
            return type(tree)(kept) if len(kept) == len(opened) else None
        case Not():
            return None  # "is not called so" would become "has no name"
    attribute = getattr(tree, "attribute", None)
    return Present(attribute) if attribute else None
