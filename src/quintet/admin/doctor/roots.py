"""What a server says about itself, and what the settings must heed for its kind."""

from collections.abc import Iterable
from dataclasses import dataclass

from quintet.admin.doctor.checks import Checks
from quintet.admin.doctor.queries import SECONDS, ask
from quintet.admin.doctor.sites import DirectorySite
from quintet.diagnostics import Finding, Pitfall
from quintet.ldap import Connection, LdapError, PagedResults, Present, Scope, ServerKind
from quintet.ldap.dn import type_key

_UNIQUE = ("entryUUID", "objectGUID", "nsUniqueId")


@dataclass(frozen=True, slots=True)
class Root:
    """A server's root DSE. `identity` tells directories apart: contexts, and the ID of the base entry."""

    active_directory: bool = False
    domino: bool = False
    naming_context: str | None = None
    contexts: frozenset[str] = frozenset()
    pages: bool = True
    identity: tuple[str, ...] = ()


async def read_root(connection: Connection, site: DirectorySite) -> Root:
    """Raises LdapError."""
    found = await connection.root_dse(timeout=SECONDS)
    contexts = found.naming_contexts
    main = found.default_naming_context or (contexts[0] if contexts else None)
    return Root(
        active_directory=found.kind.is_active_directory,
        domino=found.kind is ServerKind.DOMINO,
        naming_context=str(main) if main else None,
        contexts=frozenset(map(str, contexts)),
        pages=not found.controls or PagedResults.OID in found.controls,
        identity=await _identity(connection, site),
    )


async def _identity(connection: Connection, site: DirectorySite) -> tuple[str, ...]:
    if site.server is None or not site.server.person_base:
        return ()
    try:
        found = await ask(
            connection, site.server.person_base, Scope.BASE, Present("objectClass"), _UNIQUE, limit=1
        )
    except LdapError:
        return ()
    wanted = {type_key(name) for name in _UNIQUE}
    return tuple(
        f"{type_key(name)}={value.hex()}"
        for entry in found.entries
        for name, values in entry.attributes.items()
        if type_key(name) in wanted
        for value in values
    )


def check_kind(site: DirectorySite, root: Root, checks: Checks) -> None:
    """D19, D21 and D23: what Active Directory and Domino want set, or not set."""
    server, card, place = site.server, site.card, site.place
    if root.active_directory:
        context = root.naming_context or "its defaultNamingContext"
        if server is not None and not server.person_base:
            message = f"{site.name} is Active Directory, and PersonResolveBase is empty"
            fix = f'set PersonResolveBase="{context}" GroupResolveBase="{context}"'
            checks.add(Pitfall.D19, place, message, fix, key="PersonResolveBase")
        if card is not None and not card.base:
            message = f"{site.name}: the server is Active Directory, and BaseDN is empty"
            checks.add(Pitfall.D19, place, message, f'set BaseDN="{context}"', key="BaseDN")
        if server is not None and server.user_id_attribute is None:
            message = f"{site.name} is Active Directory, and UserIdAttribute is blank"
            fix = 'set UserIdAttribute="distinguishedName", and the same in UserInfoConfig.xml'
            checks.add(Pitfall.D21, place, message, fix, key="UserIdAttribute")
    if root.domino and server is not None and server.group_base:
        message = f"{site.name} is Domino, and GroupResolveBase is {str(server.group_base)!r}"
        checks.add(Pitfall.D23, server.place_of("GroupResolveBase"), message, key="GroupResolveBase")
    if server is not None and not root.pages:
        message = f"{site.name} does not list the control for paged results in supportedControl"
        checks.add(Finding.Q27, place, message)


def compare(roots: Iterable[tuple[DirectorySite, Root]], checks: Checks) -> None:
    """D27: two entries for one directory. That their bases overlap is then no problem of its own."""
    roots = sorted(roots, key=lambda each: each[0].place.line or 0)
    for at, (first_site, one) in enumerate(roots):
        for second_site, other in roots[at + 1 :]:
            if not one.identity or one.identity != other.identity or one.contexts != other.contexts:
                continue
            left, right = first_site.line.server, second_site.line.server
            message = (
                f"{right} has the same naming contexts and the same base entry ({one.identity[0]}) as {left}"
                " at"
                f" {first_site.place}"
            )
            fix = f'remove this Connection, and write HostName="{left},{right}" at {first_site.place}'
            checks.add(Pitfall.D27, second_site.place, message, fix)
            checks.discard(Pitfall.D26)
