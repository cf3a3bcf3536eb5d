"""The people of a server: that they are found, by every filter, with all that is asked of them."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from quintet.admin.doctor.queries import Found, ask, both, listed, of_class
from quintet.admin.doctor.report import Report
from quintet.admin.doctor.sites import Site
from quintet.config.settings import Scope, ServerSettings, Settings
from quintet.directory import first, identity, person_attributes, texts
from quintet.ldap.connection import Connection
from quintet.ldap.errors import (
    AdminLimitExceeded,
    InsufficientAccessRights,
    LdapError,
    NoSuchObject,
    OperationTimeoutError,
    TimeLimitExceeded,
    UnwillingToPerform,
)
from quintet.ldap.filters import Not, Present, Template
from quintet.ldap.messages import SearchResultEntry

_SAMPLE = 30
_WITHOUT_MAIL = 20
_NAMES = 12
_SLOW = 1.0
_TIMES_SLOWER = 20
_LOGIN_NAMES = ("uid", "sAMAccountName", "userPrincipalName", "mail", "cn", "displayName", "sn", "givenName")
LIMITS = (AdminLimitExceeded, TimeLimitExceeded, OperationTimeoutError, UnwillingToPerform)


@dataclass(frozen=True, slots=True)
class Examined:
    """A server that is being looked at, over a connection that is `anonymous` or bound.

    `naming_context` is the base that the server names itself.
    """

    site: Site
    server: ServerSettings
    connection: Connection
    anonymous: bool
    report: Report
    naming_context: str | None = None

    @property
    def place(self) -> str:
        return str(self.server.place)


async def examine(each: Examined, settings: Settings) -> tuple[SearchResultEntry, ...]:
    """A sample of the people, empty when none are found. Raises LdapError."""
    base = await base_is_readable(each, "PersonResolveBase")
    if base is None:
        return ()
    sample = await _sample(each)
    if not sample:
        return ()
    _check_attributes(each, sample)
    for name, work in (
        ("mail addresses", lambda: _check_mail(each, settings, sample)),
        ("PersonResolveFilter", lambda: _check_person_filter(each, sample, base)),
        ("UserDnSearchFilter", lambda: _check_login_filter(each, sample, base)),
    ):
        await each.report.check(f"{name} at {each.site.line.server}", work)
    return sample


async def base_is_readable(each: Examined, setting: str) -> float | None:
    """How long reading the base takes, in seconds; None when it cannot be read, which is told. Q20."""
    base = each.server.group_base if setting == "GroupResolveBase" else each.server.person_base
    try:
        found = await ask(each.connection, base, Scope.BASE, Present("objectClass"), limit=1)
    except (NoSuchObject, InsufficientAccessRights) as error:
        tell_base(each, setting, error.message)
        return None
    if not found.entries and base and not found.references:
        tell_base(each, setting, "the server shows no such entry")
        return None
    tell_references(each, found)
    return found.seconds


def tell_base(each: Examined, setting: str, what: str) -> None:
    """Q20, with the base that the server has."""
    base = each.server.group_base if setting == "GroupResolveBase" else each.server.person_base
    if not base:
        seen = f"{each.place}: {setting} is empty, and a search from the root finds nothing: {what}"
        fix = f'in {each.place}: {setting}="{each.naming_context or "the base of your directory"}"'
        each.report.add("Q20", seen, fix)
        return
    fix = f"in {each.place}: correct {setting}"
    if each.anonymous and each.site.account is None:
        fix += "; or set BindEntryDn and BindEntryPassword, if strangers may not read it"
    else:
        fix += ", or give the account the right to read it"
    each.report.add("Q20", f"{each.place}: {setting} {str(base)!r} cannot be read: {what}", fix)


def tell_unlisted(each: Examined, object_class: str, error: LdapError) -> None:
    """Q24: not even entries of a class can be listed."""
    each.report.add(
        "Q24",
        f"{each.site.line.server} refuses a search for {object_class}: {error.message}",
        "index objectClass for equality at the server, and let the account's limits allow it. slapd: index"
        " objectClass eq",
    )


def tell_references(each: Examined, found: Found) -> None:
    if found.references:
        each.report.add(
            "Q26",
            f"{each.site.line.server} answers searches with references: {listed(list(found.references), 2)}",
        )


async def _sample(each: Examined) -> tuple[SearchResultEntry, ...]:
    server = each.server
    asked = tuple(dict.fromkeys((*person_attributes(server), *_LOGIN_NAMES, "sn", "givenName")))
    wanted = of_class(server.person_class)
    try:
        found = await ask(
            each.connection, server.person_base, server.person_scope, wanted, asked, limit=_SAMPLE
        )
    except LIMITS as error:
        tell_unlisted(each, server.person_class, error)
        return ()
    except NoSuchObject as error:
        tell_base(each, "PersonResolveBase", error.message)
        return ()
    tell_references(each, found)
    if not found.entries:
        depth = "one level below" if server.person_scope is Scope.ONE else "below"
        seen = f"{each.place}: no {server.person_class} {depth} {str(server.person_base) or 'the root'!r}"
        if each.anonymous:
            each.report.add("Q29", f"{seen}, as far as strangers see")
        else:
            each.report.add("Q21", seen)
    return found.entries


def _check_attributes(each: Examined, sample: tuple[SearchResultEntry, ...]) -> None:
    """Q23, or Q29 where an account would perhaps see more."""
    server = each.server
    for setting, attribute in (
        ("NameAttribute", server.name_attribute),
        ("EmailAttribute", server.mail_attribute),
        ("UserIdAttribute", server.user_id_attribute),
    ):
        if attribute and not any(first(entry, attribute) for entry in sample):
            code = "Q29" if each.anonymous else "Q23"
            seen = f"{each.place}: none of {len(sample)} people has {attribute} ({setting})"
            each.report.add(code, seen, None if each.anonymous else f"in {each.place}: correct {setting}")


async def _check_mail(each: Examined, settings: Settings, sample: tuple[SearchResultEntry, ...]) -> None:
    """D29, and Q25 on the way: the same search shows where the server cuts."""
    server, mail = each.server, each.server.mail_attribute
    if not any(first(entry, mail) for entry in sample):
        return
    people = of_class(server.person_class)
    most = settings.directory.max_results
    without = await _without_mail(each)
    try:
        everybody = await ask(
            each.connection, server.person_base, server.person_scope, people, (mail,), limit=most
        )
    except LIMITS as error:
        each.report.add("Q25", f"{each.site.line.server} does not list the people: {error.message}")
        return
    if without is not None and without.entries:
        count = f"{len(without.entries)}{' or more' if without.more else ''}"
        who = listed([entry.dn for entry in without.entries])
        each.report.add("D29", f"{count} people without {mail}: {who}")
    if everybody.more and len(everybody.entries) < most:
        each.report.add(
            "Q25",
            f"{each.site.line.server} ends a list after {len(everybody.entries)} entries; Sametime"
            f" asks for {most}",
        )
    _check_duplicates(each, everybody.entries)


async def _without_mail(each: Examined) -> Found | None:
    """None when the server does not answer: it has to look at everybody."""
    server = each.server
    wanted = both(of_class(server.person_class), Not(Present(server.mail_attribute)))
    try:
        return await ask(
            each.connection, server.person_base, server.person_scope, wanted, limit=_WITHOUT_MAIL
        )
    except LIMITS as error:
        each.report.skip(f"people without {server.mail_attribute} at {server.label}", error.message)
        return None


def _check_duplicates(each: Examined, people: tuple[SearchResultEntry, ...]) -> None:
    owners: dict[str, list[str]] = defaultdict(list)
    for entry in people:
        for address in {text.casefold() for text in texts(entry, each.server.mail_attribute) if text.strip()}:
            owners[address].append(entry.dn)
    shared = [f"{address}: {' and '.join(dns[:3])}" for address, dns in owners.items() if len(dns) > 1]
    if shared:
        each.report.add("D29", f"{len(shared)} mail addresses belong to several people: {listed(shared, 3)}")


async def _check_person_filter(
    each: Examined, sample: tuple[SearchResultEntry, ...], base_seconds: float
) -> None:
    """Q22 and Q24, by a real search for someone whom the directory has."""
    server = each.server
    for entry in sample[:3]:
        name = first(entry, server.name_attribute)
        if name is None:
            continue
        found = await _by_filter(each, "PersonResolveFilter", server.person_filter, name, base_seconds, 50)
        if found is None or found.more or _holds(found, entry):
            return
    names = [name for entry in sample[:3] if (name := first(entry, server.name_attribute))]
    if names:
        each.report.add(
            "Q22",
            f"{each.place}: PersonResolveFilter does not find {listed(names)}",
            f"in {each.place}: let PersonResolveFilter={server.person_filter.text!r} compare"
            f" {server.name_attribute}",
        )


async def _check_login_filter(
    each: Examined, sample: tuple[SearchResultEntry, ...], base_seconds: float
) -> None:
    """Q22, Q24, and D30 for names that several people have."""
    server, person = each.server, sample[0]
    found_somebody = False
    for name in dict.fromkeys(value for kind in _LOGIN_NAMES if (value := first(person, kind))):
        found = await _by_filter(each, "UserDnSearchFilter", server.login_filter, name, base_seconds, 20)
        if found is None:
            return
        if found.more or _holds(found, person):
            found_somebody = True
            break
    if not found_somebody:
        each.report.add(
            "Q22",
            f"{each.place}: UserDnSearchFilter does not find {person.dn} by any of its names",
            f"in {each.place}: compare UserDnSearchFilter={server.login_filter.text!r} with that entry",
        )
        return
    await _check_ambiguous(each, sample, base_seconds)


async def _check_ambiguous(
    each: Examined, sample: tuple[SearchResultEntry, ...], base_seconds: float
) -> None:
    if each.report.has("D30"):
        return
    kinds = ("givenName", "sn")
    counted = Counter(value for kind in kinds for entry in sample if (value := first(entry, kind)))
    for name, _ in counted.most_common(_NAMES):
        found = await _by_filter(each, "UserDnSearchFilter", each.server.login_filter, name, base_seconds, 2)
        if found is None:
            return
        if len(found.entries) > 1 or found.more:
            each.report.add(
                "D30",
                f"{each.place}: UserDnSearchFilter finds several people for {name!r}",
                f"in {each.place}: take givenname and sn out of"
                f" UserDnSearchFilter={each.server.login_filter.text!r}",
            )
            return


async def _by_filter(
    each: Examined, setting: str, template: Template, name: str, base_seconds: float, limit: int
) -> Found | None:
    """A search as the tasks make it. None when it is refused or slow, which is told as Q24."""
    server = each.server
    fix = (
        "index the attributes of this filter at the server, for equality and initial substrings. slapd:"
        " index cn,givenName,sn,mail eq,sub"
    )
    try:
        found = await ask(
            each.connection, server.person_base, server.person_scope, template.encode(name), limit=limit
        )
    except LIMITS as error:
        each.report.add("Q24", f"{each.place}: {setting} {template.text!r} is refused: {error.message}", fix)
        return None
    tell_references(each, found)
    if found.seconds > max(_SLOW, _TIMES_SLOWER * base_seconds):
        each.report.add(
            "Q24",
            f"{each.place}: a search by {setting} takes {found.seconds:.1f} s, reading the base"
            f" {base_seconds * 1000:.0f} ms",
            fix,
        )
        return None
    return found


def _holds(found: Found, entry: SearchResultEntry) -> bool:
    return identity(entry.dn) in {identity(each.dn) for each in found.entries}


async def sees_attribute(connection: Connection, base: str, scope: Scope, attribute: str) -> bool | None:
    """Whether any entry below the base shows the attribute; None when the server does not tell."""
    try:
        found = await ask(connection, base, scope, Present(attribute), (attribute,), limit=1)
    except LdapError:
        return None
    return any(first(entry, attribute) is not None or entry.attributes for entry in found.entries)
