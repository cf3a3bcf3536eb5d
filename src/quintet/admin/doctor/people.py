"""The users of a server: whether each filter finds them, with the attributes that are needed."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from quintet.admin.doctor.checks import Checks
from quintet.admin.doctor.queries import SearchOutcome, ask, both, listed
from quintet.admin.doctor.sites import DirectorySite
from quintet.config import ServerSettings, Settings
from quintet.diagnostics import Code, Finding, Pitfall
from quintet.directory import BIND_REQUIRED, first, identity, people_of, person_attributes, texts
from quintet.ldap import (
    AdminLimitExceeded,
    Connection,
    Entry,
    InsufficientAccessRights,
    LdapError,
    NoSuchObject,
    Not,
    OperationTimeoutError,
    Present,
    Scope,
    Template,
    TimeLimitExceeded,
    UnwillingToPerform,
)

_SAMPLE = 30
_WITHOUT_MAIL = 20
_DOUBLE_BLANKS = 3
_NAMES = 12
_SLOW = 1.0
_TIMES_SLOWER = 20
_LOGIN_NAMES = ("uid", "sAMAccountName", "userPrincipalName", "mail", "cn", "displayName", "sn", "givenName")
_OWN_PARTITION = re.compile(r"/(CN=Configuration|DC=DomainDnsZones|DC=ForestDnsZones),DC=", re.IGNORECASE)
LIMITS = (AdminLimitExceeded, TimeLimitExceeded, OperationTimeoutError, UnwillingToPerform)


@dataclass(frozen=True, slots=True)
class Examined:
    """A server that is being looked at, over a connection that is `anonymous` or bound.

    `naming_context` is the base that the server names itself.
    """

    site: DirectorySite
    server: ServerSettings
    connection: Connection
    anonymous: bool
    checks: Checks
    naming_context: str | None = None

    def add(self, code: Code, message: str, fix: str | None = None, *, key: str | None = None) -> None:
        """Adds a problem of the server, at the place of the setting `key` if given."""
        place = self.server.place if key is None else self.server.place_of(key)
        self.checks.add(code, place, message, fix, key=key)


async def examine(each: Examined, settings: Settings) -> tuple[Entry, ...]:
    """A sample of the users, empty when none are found. Raises LdapError."""
    base = await base_is_readable(each, "PersonResolveBase")
    if base is None:
        return ()
    sample = await _sample(each)
    if not sample:
        return ()
    _check_attributes(each, sample)
    await _check_double_blanks(each, sample)
    for name, work in (
        ("mail addresses", lambda: _check_mail(each, settings, sample)),
        ("PersonResolveFilter", lambda: _check_person_filter(each, sample, base)),
        ("UserDnSearchFilter", lambda: _check_login_filter(each, sample, base)),
    ):
        await each.checks.run(f"{name} at {each.site.line.server}", work)
    return sample


async def base_is_readable(each: Examined, setting: str) -> float | None:
    """How long reading the base takes, in seconds; None when it cannot be read: Q20 or Q31."""
    base = each.server.group_base if setting == "GroupResolveBase" else each.server.person_base
    try:
        found = await ask(each.connection, base, Scope.BASE, Present("objectClass"), limit=1)
    except BIND_REQUIRED as error:
        if not each.anonymous:
            raise
        message = f"{each.site.line.server} refuses to be searched by anonymous clients: {error.message}"
        each.add(Finding.Q31, message, key="BindEntryDn")
        return None
    except (NoSuchObject, InsufficientAccessRights) as error:
        report_base(each, setting, error.message)
        return None
    if not found.entries and base and not found.references:
        report_base(each, setting, "the server shows no such entry")
        return None
    report_references(each, found)
    return found.seconds


def report_base(each: Examined, setting: str, what: str) -> None:
    """Q20, with the base that the server has."""
    base = each.server.group_base if setting == "GroupResolveBase" else each.server.person_base
    if not base:
        message = f"{setting} is empty, and a search from the root finds nothing: {what}"
        fix = f'set {setting}="{each.naming_context or "the base of your directory"}"'
    else:
        message = f"{setting} {str(base)!r} cannot be read: {what}"
        fix = f"correct {setting}"
        if each.anonymous and each.site.account is None:
            fix += "; or set BindEntryDn and BindEntryPwd, if anonymous clients may not read it"
        else:
            fix += ", or give the account the right to read it"
    each.add(Finding.Q20, message, fix, key=setting)


def report_unlisted(each: Examined, object_class: str, error: LdapError) -> None:
    """Q24: not even entries of a class can be listed."""
    each.add(
        Finding.Q24,
        f"{each.site.line.server} refuses a search for {object_class}: {error.message}",
        "index objectClass for equality at the server, and let the account's limits allow it. slapd: index"
        " objectClass eq",
    )


def report_references(each: Examined, found: SearchOutcome) -> None:
    """Q26. Active Directory's references to its own partitions lead to no people (row S42)."""
    elsewhere = [url for url in found.references if not _OWN_PARTITION.search(url)]
    if elsewhere:
        servers = listed(elsewhere, 2)
        each.add(Finding.Q26, f"{each.site.line.server} answers searches with references: {servers}")


async def _sample(each: Examined) -> tuple[Entry, ...]:
    server = each.server
    asked = tuple(dict.fromkeys((*person_attributes(server), *_LOGIN_NAMES, "sn", "givenName")))
    wanted = people_of(server)
    try:
        found = await ask(
            each.connection, server.person_base, server.person_scope, wanted, asked, limit=_SAMPLE
        )
    except LIMITS as error:
        report_unlisted(each, server.person_class, error)
        return ()
    except NoSuchObject as error:
        report_base(each, "PersonResolveBase", error.message)
        return ()
    report_references(each, found)
    if not found.entries:
        depth = "one level below" if server.person_scope is Scope.ONE_LEVEL else "below"
        message = f"no {server.person_class} {depth} {str(server.person_base) or 'the root'!r}"
        if each.anonymous:
            each.add(Finding.Q29, f"{message}, as far as anonymous clients see", key="PersonResolveBase")
        else:
            each.add(Finding.Q21, message, key="PersonResolveBase")
    return found.entries


def _check_attributes(each: Examined, sample: tuple[Entry, ...]) -> None:
    """Q23, or Q29 where an account would perhaps see more."""
    server = each.server
    for setting, attribute in (
        ("NameAttribute", server.name_attribute),
        ("EmailAttribute", server.mail_attribute),
        ("UserIdAttribute", server.user_id_attribute),
    ):
        if attribute and not any(first(entry, attribute) for entry in sample):
            code = Finding.Q29 if each.anonymous else Finding.Q23
            message = f"none of {len(sample)} users has {attribute} ({setting})"
            each.add(code, message, None if each.anonymous else f"correct {setting}", key=setting)


async def _check_mail(each: Examined, settings: Settings, sample: tuple[Entry, ...]) -> None:
    """D29, and Q25 on the way: the same search shows where the server cuts."""
    server, mail = each.server, each.server.mail_attribute
    if not any(first(entry, mail) for entry in sample):
        return
    users = people_of(server)
    most = settings.directory.max_results
    without = await _without_mail(each)
    try:
        everyone = await ask(
            each.connection, server.person_base, server.person_scope, users, (mail,), limit=most
        )
    except LIMITS as error:
        each.add(Finding.Q25, f"{each.site.line.server} does not list the users: {error.message}")
        return
    if without is not None and without.entries:
        count = f"{len(without.entries)}{' or more' if without.more else ''}"
        names = listed([entry.dn for entry in without.entries])
        each.add(Pitfall.D29, f"{count} users without {mail}: {names}", key="EmailAttribute")
    if everyone.more and len(everyone.entries) < most:
        each.add(
            Finding.Q25,
            f"{each.site.line.server} ends a list after {len(everyone.entries)} entries; Sametime"
            f" asks for {most}",
        )
    _check_duplicates(each, everyone.entries)


async def _without_mail(each: Examined) -> SearchOutcome | None:
    """None when the server does not answer: it has to look at every entry."""
    server = each.server
    wanted = both(people_of(server), Not(Present(server.mail_attribute)))
    try:
        return await ask(
            each.connection, server.person_base, server.person_scope, wanted, limit=_WITHOUT_MAIL
        )
    except LIMITS as error:
        each.checks.skip(f"users without {server.mail_attribute} at {server.label}", error.message)
        return None


async def _check_double_blanks(each: Examined, sample: tuple[Entry, ...]) -> None:
    """D43: a DN with two blanks in a row, which a step on its way may normalise."""
    for dn in [entry.dn for entry in sample if "  " in entry.dn][:_DOUBLE_BLANKS]:
        try:
            found = await ask(each.connection, dn, Scope.BASE, Present("objectClass"), limit=1)
        except NoSuchObject:
            found = SearchOutcome(())
        if not found.entries:
            message = f"the server returns {dn!r}, and does not find it again by that DN"
            each.add(Pitfall.D43, message, key="UserIdAttribute")
            return


def _check_duplicates(each: Examined, people: tuple[Entry, ...]) -> None:
    owners: dict[str, list[str]] = defaultdict(list)
    for entry in people:
        for address in {text.casefold() for text in texts(entry, each.server.mail_attribute) if text.strip()}:
            owners[address].append(entry.dn)
    shared = [f"{address}: {' and '.join(dns[:3])}" for address, dns in owners.items() if len(dns) > 1]
    if shared:
        message = f"{len(shared)} mail addresses belong to several users: {listed(shared, 3)}"
        each.add(Pitfall.D29, message, key="EmailAttribute")


async def _check_person_filter(each: Examined, sample: tuple[Entry, ...], base_seconds: float) -> None:
    """Q22 and Q24, by a real search for a user that the directory has."""
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
        each.add(
            Finding.Q22,
            f"PersonResolveFilter does not find {listed(names)}",
            f"let PersonResolveFilter={server.person_filter.text!r} compare {server.name_attribute}",
            key="PersonResolveFilter",
        )


async def _check_login_filter(each: Examined, sample: tuple[Entry, ...], base_seconds: float) -> None:
    """Q22, Q24, and D30 for names that several users have."""
    server, person = each.server, sample[0]
    found_one = False
    for name in dict.fromkeys(value for kind in _LOGIN_NAMES if (value := first(person, kind))):
        found = await _by_filter(each, "UserDnSearchFilter", server.login_filter, name, base_seconds, 20)
        if found is None:
            return
        if found.more or _holds(found, person):
            found_one = True
            break
    if not found_one:
        each.add(
            Finding.Q22,
            f"UserDnSearchFilter does not find {person.dn} by any of its names",
            f"compare UserDnSearchFilter={server.login_filter.text!r} with that entry",
            key="UserDnSearchFilter",
        )
        return
    await _check_ambiguous(each, sample, base_seconds)


async def _check_ambiguous(each: Examined, sample: tuple[Entry, ...], base_seconds: float) -> None:
    if each.checks.has(Pitfall.D30):
        return
    kinds = ("givenName", "sn")
    counted = Counter(value for kind in kinds for entry in sample if (value := first(entry, kind)))
    for name, _ in counted.most_common(_NAMES):
        found = await _by_filter(each, "UserDnSearchFilter", each.server.login_filter, name, base_seconds, 2)
        if found is None:
            return
        if len(found.entries) > 1 or found.more:
            each.add(
                Pitfall.D30,
                f"UserDnSearchFilter finds several users for {name!r}",
                f"remove givenname and sn from UserDnSearchFilter={each.server.login_filter.text!r}",
                key="UserDnSearchFilter",
            )
            return


async def _by_filter(
    each: Examined, setting: str, template: Template, name: str, base_seconds: float, limit: int
) -> SearchOutcome | None:
    """A search as the tasks make it. None when it is refused or slow, which is reported as Q24."""
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
        message = f"{setting} {template.text!r} is refused: {error.message}"
        each.add(Finding.Q24, message, fix, key=setting)
        return None
    report_references(each, found)
    if found.seconds > max(_SLOW, _TIMES_SLOWER * base_seconds):
        message = (
            f"a search by {setting} takes {found.seconds:.1f} s, reading the base {base_seconds * 1000:.0f}"
            " ms"
        )
        each.add(Finding.Q24, message, fix, key=setting)
        return None
    return found


def _holds(found: SearchOutcome, entry: Entry) -> bool:
    return identity(entry.dn) in {identity(each.dn) for each in found.entries}


async def sees_attribute(connection: Connection, base: str, scope: Scope, attribute: str) -> bool | None:
    """Whether any entry below the base shows the attribute; None when the server does not tell."""
    try:
        found = await ask(connection, base, scope, Present(attribute), (attribute,), limit=1)
    except LdapError:
        return None
    return any(first(entry, attribute) is not None or entry.attributes for entry in found.entries)
