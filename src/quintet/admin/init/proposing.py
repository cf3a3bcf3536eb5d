"""Settings that fit a directory, by looking at the people and groups that it holds.

Only samples are read: each search ends here after some entries, whatever the server makes of a size limit
(row S43), and all of them together have a time limit. What is not found falls back on what the product
mostly has.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from quintet.directory import ACCOUNT_DISABLED, BIND_REQUIRED, BIT_AND, USER_ACCOUNT, values
from quintet.ldap import (
    DN,
    And,
    ClientLimitError,
    Connection,
    DNSyntaxError,
    Entry,
    Equality,
    Filter,
    LdapError,
    Or,
    Present,
    ResultError,
    RootDSE,
    Scope,
    ServerKind,
)

_SAMPLE = 50
_MOST_CONTAINERS = 100
_DEEPEST = 8
_SECONDS = 10.0
SECONDS_IN_ALL = 60.0
"""The time limit of looking around. After it, what was found until then is proposed."""
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
_GROUP_ELSE = ("groupOfNames", "groupOfUniqueNames", "groupOfMembers", "group", "posixGroup")
_BY_UID = "posixgroup"
_MEMBER = {"groupofuniquenames": "uniqueMember", _BY_UID: "memberUid"}
_LOGIN = {
    ServerKind.ACTIVE_DIRECTORY: ("sAMAccountName", "userPrincipalName", "mail"),
    ServerKind.SAMBA: ("sAMAccountName", "userPrincipalName", "mail"),
    ServerKind.DOMINO: ("uid", "mail", "cn"),
}
_LOGIN_ELSE = ("uid", "mail")
_NOT_DISABLED = f"(!(userAccountControl:{BIT_AND}:={ACCOUNT_DISABLED.decode()}))"
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
    r"""What the settings should say. Bases may be empty: the whole directory. `notes` are for people.

    `group_class` and `member_attribute` are lists, separated by commas, where groups have several classes.
    `login_domains` are what people type before `\` in front of their login name.
    """

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
    login_domains: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class SearchRefusedError(Exception):
    """The server does not let this client search. Nothing can be proposed, and nothing would work."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class _Kind:
    """Entries of a kind: their classes, where they are, and some of them."""

    names: tuple[str, ...]
    base: str
    sample: tuple[Entry, ...]


async def propose(
    connection: Connection,
    root: RootDSE,
    *,
    anonymous: bool = False,
    person_base: str | None = None,
    group_base: str | None = None,
    seconds: float = SECONDS_IN_ALL,
) -> Proposal:
    """Look around as the account that the connection is bound as.

    Args:
        connection: A connection to the server.
        root: What the server says of itself.
        anonymous: Whether the connection is not bound.
        person_base: Where people are, if the administrator said so; nothing else is looked at then.
        group_base: The same for groups.
        seconds: The time limit for all searches together.

    Raises:
        SearchRefusedError: The server does not let this client search.
        LdapError: The connection broke.
    """
    looking = _Looking(connection, root.kind, seconds)
    product, notes = root.kind, []
    contexts = contexts_with_people(root) or ("",)
    await looking.check_allowed(contexts[0] if person_base is None else person_base, anonymous=anonymous)
    people = await looking.find(contexts, _PERSON.get(product, _PERSON_ELSE), person_base, several=False)
    groups = await looking.find(
        contexts, _GROUP.get(product, _GROUP_ELSE), group_base, several=product is not ServerKind.DOMINO
    )
    domains = await looking.login_domains(root)
    if looking.late:
        notes.append(
            f"the directory was not examined completely: {seconds:.0f} s were not enough. Check the bases, or"
            " give them with --person-base and --group-base"
        )
    if not people.sample:
        notes.append("no people were found: check the account's rights, or set PersonResolveBase yourself")
    if not groups.sample:
        notes.append("no groups were found: check the account's rights, or set GroupResolveBase yourself")
    if len(groups.names) > 1:
        notes.append(
            f"groups are of {len(groups.names)} classes, {' and '.join(groups.names)}: Quintet takes all of"
            " them; Sametime itself takes one in GroupObjectClass"
        )
    has = _Present(people.sample)
    name = "displayName" if has.mostly("displayName") else "cn"
    login = has.some_of(_LOGIN.get(product, _LOGIN_ELSE))
    (person_class,) = people.names
    chosen = _of_person(product, person_class)
    offered = chosen + (_NOT_DISABLED if product.is_active_directory else "")
    group_filter = _any_of([f"(objectclass={each})" for each in groups.names])
    members = tuple(dict.fromkeys(_MEMBER.get(each.casefold(), "member") for each in groups.names))
    by_dn = [each for each in members if each != _MEMBER[_BY_UID]] or ["member"]
    return Proposal(
        person_base=people.base,
        person_class=person_class,
        person_filter=_template(offered, has.some_of(_TYPED), "%s*"),
        login_filter=_template(chosen, login, "%s"),
        card_filter=_template(chosen, tuple(dict.fromkeys((*login, "cn", name))), "%s"),
        name_attribute=name,
        mail_attribute="mail",
        user_id_attribute="distinguishedName" if product.is_active_directory else "",
        group_base="" if product is ServerKind.DOMINO and group_base is None else groups.base,
        group_class=",".join(groups.names),
        group_filter=f"(&{group_filter}(cn=%s*))",
        membership=f"(&{group_filter}{_any_of([f'({each}=%s)' for each in by_dn])})",
        member_attribute=",".join(members),
        details=(("MailAddress", "mail"), ("Name", name), *has.card()),
        login_domains=domains,
        notes=tuple(notes),
    )


def contexts_with_people(root: RootDSE) -> tuple[str, ...]:
    """The naming contexts that may hold people; only the main one where the server names one."""
    contexts, main = root.naming_contexts, root.default_naming_context
    if main and (root.kind.is_active_directory or main in contexts):
        contexts = (main,)
    return tuple(str(each) for each in contexts if not str(each).casefold().startswith(_NOT_PEOPLE))


def _of_person(product: ServerKind, name: str) -> str:
    """In Active Directory, computers are users, too, and so are accounts of trusted domains (row S53)."""
    kept = f"(objectclass={name})"
    return f"{kept}(sAMAccountType={USER_ACCOUNT})" if product.is_active_directory else kept


def _any_of(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"(|{''.join(parts)})"


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


@final
class _Looking:
    """Searches of one examination. `late` when the time limit ended it."""

    def __init__(self, connection: Connection, product: ServerKind, seconds: float) -> None:
        self._connection = connection
        self._product = product
        self._until = asyncio.get_running_loop().time() + seconds
        self.late = False

    async def check_allowed(self, base: str, *, anonymous: bool) -> None:
        """Raises SearchRefusedError where the server wants a bind first (rows S6 and S103)."""
        try:
            await self._connection.search(
                base, Scope.BASE, Present("objectClass"), ("1.1",), timeout=_SECONDS, max_entries=1
            )
        except BIND_REQUIRED as error:
            kind = self._product.value if self._product is not ServerKind.UNKNOWN else "the server"
            who = "anonymous clients" if anonymous else "this account"
            raise SearchRefusedError(
                f"{kind} does not let {who} search: {error.message}",
                "give an account that may read the directory with --account (BindEntryDn in the settings)",
            ) from error
        except LdapError:
            if self._connection.closed:
                raise

    async def find(
        self, contexts: Sequence[str], names: Sequence[str], base: str | None, *, several: bool
    ) -> _Kind:
        """The class that most entries have, the earlier one of equals, and the smallest base of them.

        With `several`, all classes that occur. A `base` that is given is taken as it is.
        """
        places = contexts if base is None else (base,)
        samples: dict[str, dict[str, Entry]] = {}
        for name in names:
            for place in places:
                for entry in await self._search(place, Scope.SUBTREE, self._is(name), _SAMPLE, ("*",)):
                    samples.setdefault(name, {})[entry.dn] = entry
        if not samples:
            usual = places[0] if len(places) == 1 else ""
            return _Kind((names[0],), usual, ())
        ranked = sorted(samples, key=lambda name: -len(samples[name]))
        chosen = tuple(_needed(samples)) if several else tuple(ranked[:1])
        entries = tuple({dn: entry for name in chosen for dn, entry in samples[name].items()}.values())
        if base is not None:
            return _Kind(chosen, base, entries)
        holding = [place for place in places if await self._holds(place, chosen)]
        narrow = await self._narrow(holding[0], chosen) if len(holding) == 1 and holding[0] else ""
        return _Kind(chosen, narrow, entries)

    async def login_domains(self, root: RootDSE) -> tuple[str, ...]:
        """Active Directory: the NetBIOS name of the domain, typed before a backslash (row S19)."""
        main = root.default_naming_context
        configuration = root.entry.text("configurationNamingContext")
        if not self._product.is_active_directory or main is None or configuration is None:
            return ()
        wanted = And((Equality("objectClass", b"crossRef"), Equality("nCName", str(main).encode())))
        place = f"CN=Partitions,{configuration}"
        found = await self._search(place, Scope.ONE_LEVEL, wanted, 1, ("nETBIOSName",))
        return tuple(name for entry in found for name in entry.texts("nETBIOSName")[:1])

    async def _narrow(self, base: str, names: Sequence[str]) -> str:
        """Go down as long as all entries of the classes are below one container."""
        for _ in range(_DEEPEST):
            wanted = self._is_any(names)
            if self.late or await self._search(base, Scope.ONE_LEVEL, wanted, 1):
                return base
            containers = Or(tuple(Equality("objectClass", name.encode()) for name in _CONTAINERS))
            inner = await self._search(base, Scope.ONE_LEVEL, containers, _MOST_CONTAINERS)
            if len(inner) >= _MOST_CONTAINERS:
                return base
            found = await asyncio.gather(*(self._holds(each.dn, names) for each in inner))
            holding = [each.dn for each, holds in zip(inner, found, strict=True) if holds]
            if len(holding) != 1 or self.late:
                return base
            base = holding[0]
        return base

    async def _holds(self, base: str, names: Sequence[str]) -> bool:
        return bool(await self._search(base, Scope.SUBTREE, self._is_any(names), 1))

    def _is_any(self, names: Sequence[str]) -> Filter:
        return Or(tuple(map(self._is, names)))

    def _is(self, name: str) -> Filter:
        of_class = Equality("objectClass", name.encode())
        if name == "user" and self._product.is_active_directory:
            return And((of_class, Equality("sAMAccountType", USER_ACCOUNT.encode())))
        return of_class

    async def _search(
        self, base: str, scope: int, wanted: Filter, limit: int, attributes: Sequence[str] = ("1.1",)
    ) -> list[Entry]:
        """Up to `limit` entries; none where the server refuses. Raises LdapError if the connection breaks."""
        left = self._until - asyncio.get_running_loop().time()
        if left <= 0:
            self.late = True
            return []
        try:
            found = await self._connection.search(
                base,
                scope,
                wanted,
                attributes,
                size_limit=limit,
                time_limit=int(_SECONDS),
                timeout=min(_SECONDS, left),
                max_entries=limit,
            )
        except (ResultError, ClientLimitError) as error:
            return list(error.partial.entries) if error.partial is not None else []
        except LdapError:
            if self._connection.closed:
                raise
            return []
        return list(found.entries)


def _needed(samples: Mapping[str, Mapping[str, Entry]]) -> Iterator[str]:
    """The classes that are needed to find all of the entries: not one whose entries have another one, too."""
    seen: set[str] = set()
    for name, entries in samples.items():
        if not seen.issuperset(entries):
            seen.update(entries)
            yield name


def is_name(text: str) -> bool:
    """Whether it can be a base."""
    try:
        DN.parse(text)
    except DNSyntaxError:
        return False
    return True
