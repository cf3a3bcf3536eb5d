"""Settings that fit a directory, by looking at the people and groups that it holds.

Every search is bounded. What is not found falls back on what the product mostly has.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from quintet.directory import values
from quintet.ldap import (
    DN,
    Connection,
    DNSyntaxError,
    Entry,
    Equality,
    Filter,
    LdapError,
    Or,
    ResultError,
    RootDSE,
    Scope,
    ServerKind,
)

_SAMPLE = 50
_MOST_CONTAINERS = 100
_DEEPEST = 8
_SECONDS = 10.0
_NOT_PEOPLE = (
    "cn=config",
    "cn=schema",
    "cn=monitor",
    "cn=changelog",
    "cn=accesslog",
    "o=ipaca",
    "o=netscaperoot",
)
_CONTAINERS = (
    "organizationalUnit",
    "organization",
    "container",
    "nsContainer",
    "domain",
    "builtinDomain",
    "locality",
)
_PERSON = {
    ServerKind.ACTIVE_DIRECTORY: ("user",),
    ServerKind.SAMBA: ("user",),
    ServerKind.DOMINO: ("dominoPerson", "inetOrgPerson", "organizationalPerson"),
}
_PERSON_ELSE = ("inetOrgPerson", "organizationalPerson", "person")
_GROUP = {
    ServerKind.ACTIVE_DIRECTORY: ("group",),
    ServerKind.SAMBA: ("group",),
    ServerKind.DOMINO: ("dominoGroup", "groupOfNames"),
}
_GROUP_ELSE = ("groupOfNames", "groupOfUniqueNames", "groupOfMembers")
_LAST_RESORT = "posixGroup"
_MEMBER = {"groupofuniquenames": "uniqueMember", "posixgroup": "memberUid"}
_LOGIN = {
    ServerKind.ACTIVE_DIRECTORY: ("sAMAccountName", "userPrincipalName", "mail"),
    ServerKind.SAMBA: ("sAMAccountName", "userPrincipalName", "mail"),
    ServerKind.DOMINO: ("uid", "mail", "cn"),
}
_LOGIN_ELSE = ("uid", "mail")
_TYPED = ("cn", "displayName", "givenName", "sn", "mail")
_CARD: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("Title", (("title",),)),
    ("Location", (("postalAddress",), ("physicalDeliveryOfficeName",), ("l", "st", "c"), ("l",))),
    ("Telephone", (("telephoneNumber", "mobile"), ("telephoneNumber",), ("mobile",))),
    ("Company", (("company",), ("o",), ("ou",), ("department",))),
    ("Photo", (("jpegPhoto",), ("thumbnailPhoto",))),
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the settings should say. Bases may be empty: the whole directory. `notes` are for the person."""

    person_base: str
    person_class: str
    person_filter: str
    login_filter: str
    card_filter: str
    name_attribute: str
    mail_attribute: str
    user_id_attribute: str
    group_base: str
    group_class: str
    group_filter: str
    membership: str
    member_attribute: str
    details: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kind:
    """A class of entries that there are: where, and some of them."""

    name: str
    base: str
    sample: tuple[Entry, ...]


async def propose(connection: Connection, root: RootDSE) -> Proposal:
    """Examine the directory as the connection is bound. Raises LdapError when the connection breaks."""
    product, notes = root.kind, []
    contexts = contexts_with_people(root) or ("",)
    people = await _find(connection, contexts, _PERSON.get(product, _PERSON_ELSE))
    groups = await _find(connection, contexts, _GROUP.get(product, _GROUP_ELSE), (_LAST_RESORT,))
    if not people.sample:
        notes.append("no people were found: check the account's rights, or set PersonResolveBase yourself")
    if not groups.sample:
        notes.append("no groups were found: check the account's rights, or set GroupResolveBase yourself")
    if groups.name == _LAST_RESORT:
        notes.append(
            "the groups are of class posixGroup, which names members by uid; their content is not shown"
        )
    has = _Present(people.sample)
    name = "displayName" if has.mostly("displayName") else "cn"
    login = has.some_of(_LOGIN.get(product, _LOGIN_ELSE))
    chosen = _of_class(product, people.name)
    member = _MEMBER.get(groups.name.casefold(), "member")
    return Proposal(
        person_base=people.base,
        person_class=people.name,
        person_filter=_template(chosen, has.some_of(_TYPED), "%s*"),
        login_filter=_template(chosen, login, "%s"),
        card_filter=_template(chosen, tuple(dict.fromkeys((*login, "cn"))), "%s"),
        name_attribute=name,
        mail_attribute="mail",
        user_id_attribute="distinguishedName" if product.is_active_directory else "",
        group_base="" if product is ServerKind.DOMINO else groups.base,
        group_class=groups.name,
        group_filter=f"(&(objectclass={groups.name})(cn=%s*))",
        membership=f"(&(objectclass={groups.name})({member}=%s))",
        member_attribute=member,
        details=(("MailAddress", "mail"), ("Name", name), *has.card()),
        notes=tuple(notes),
    )


def contexts_with_people(root: RootDSE) -> tuple[str, ...]:
    """The naming contexts that may hold people; only the main one where the server names one."""
    contexts, main = root.naming_contexts, root.default_naming_context
    if main and (root.kind.is_active_directory or main in contexts):
        contexts = (main,)
    return tuple(str(each) for each in contexts if not str(each).casefold().startswith(_NOT_PEOPLE))


def _of_class(product: ServerKind, name: str) -> str:
    """In Active Directory, computers are users, too."""
    kept = f"(objectclass={name})"
    return f"{kept}(!(objectclass=computer))" if product.is_active_directory else kept


def _template(of_class: str, attributes: Iterable[str], hole: str) -> str:
    return f"(&{of_class}(|{''.join(f'({each}={hole})' for each in attributes)}))"


class _Present:
    """Which attributes the people of a sample have; of an empty sample, nothing is known."""

    def __init__(self, sample: Sequence[Entry]) -> None:
        self._sample = sample

    def any(self, name: str) -> bool:
        return any(values(each, name) for each in self._sample)

    def mostly(self, name: str) -> bool:
        return sum(bool(values(each, name)) for each in self._sample) * 10 > len(self._sample) * 9

    def some_of(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those that occur; all when none does."""
        return tuple(each for each in names if self.any(each)) or tuple(names)

    def card(self) -> list[tuple[str, str]]:
        """Each field with the first attributes that occur; where nothing is known, with the usual ones."""
        found = []
        for field, choices in _CARD:
            fitting = choices[0] if not self._sample else None
            for names in choices:
                if fitting is None and all(self.any(each) for each in names):
                    fitting = names
            if fitting is not None:
                found.append((field, ",".join(fitting)))
        return found


async def _find(
    connection: Connection, contexts: Sequence[str], names: Sequence[str], else_names: Sequence[str] = ()
) -> _Kind:
    """The class that most entries have, the earlier one of equals, and the smallest base that holds them."""
    for offered in (names, else_names):
        best: _Kind | None = None
        for name in offered:
            for context in contexts:
                sample = await _search(connection, context, Scope.SUBTREE, _is(name), _SAMPLE, ("*",))
                if sample and (best is None or len(sample) > len(best.sample)):
                    best = _Kind(name, context, tuple(sample))
        if best is not None:
            holding = [
                each for each in contexts if each == best.base or await _holds(connection, each, best.name)
            ]
            base = best.base if len(holding) == 1 else ""
            return _Kind(best.name, await _narrow(connection, base, best.name) if base else "", best.sample)
    return _Kind(names[0], contexts[0] if len(contexts) == 1 else "", ())


async def _narrow(connection: Connection, base: str, name: str) -> str:
    """Go down as long as all entries of the class lie below one container."""
    for _ in range(_DEEPEST):
        if await _search(connection, base, Scope.ONE_LEVEL, _is(name), 1):
            return base
        inner = await _search(
            connection, base, Scope.ONE_LEVEL, Or(tuple(_is(c) for c in _CONTAINERS)), _MOST_CONTAINERS
        )
        if len(inner) >= _MOST_CONTAINERS:
            return base
        found = await asyncio.gather(*(_holds(connection, each.dn, name) for each in inner))
        holding = [each.dn for each, holds in zip(inner, found, strict=True) if holds]
        if len(holding) != 1:
            return base
        base = holding[0]
    return base


async def _holds(connection: Connection, base: str, name: str) -> bool:
    return bool(await _search(connection, base, Scope.SUBTREE, _is(name), 1))


async def _search(
    connection: Connection,
    base: str,
    scope: int,
    wanted: Filter,
    limit: int,
    attributes: Sequence[str] = ("1.1",),
) -> list[Entry]:
    """Up to `limit` entries; none where the server refuses. Raises LdapError when the connection breaks."""
    try:
        found = await connection.search(
            base, scope, wanted, attributes, size_limit=limit, time_limit=int(_SECONDS), timeout=_SECONDS
        )
    except ResultError as error:
        partial = getattr(error, "partial", None)
        return list(partial.entries) if partial is not None else []
    except LdapError:
        if connection.closed:
            raise
        return []
    return list(found.entries)


def _is(name: str) -> Filter:
    return Equality("objectClass", name.encode())


def is_name(text: str) -> bool:
    """Whether it can be a base."""
    try:
        DN.parse(text)
    except DNSyntaxError:
        return False
    return True
