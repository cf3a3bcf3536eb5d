"""The public groups of a server: their class, their size, where their members are."""

from quintet.admin.doctor.people import (
    LIMITS,
    Examined,
    base_is_readable,
    report_base,
    report_references,
    report_unlisted,
)
from quintet.admin.doctor.queries import ask, both, listed, of_class
from quintet.config import DirectorySettings
from quintet.diagnostics import Finding, Pitfall
from quintet.directory import first, lies_under, of_group_class, parsed, without_bits
from quintet.directory import listed as names_of
from quintet.ldap import Entry, LdapError, NoSuchObject, Not
from quintet.ldap.dn import type_key

MOST_MEMBERS = DirectorySettings().max_members
_MOST_GROUPS = 200
_SAMPLE = 20
_CLASSES = {
    "groupOfNames": "member",
    "groupOfUniqueNames": "uniqueMember",
    "group": "member",
    "dominoGroup": "member",
    "posixGroup": "memberUid",
}


async def examine(each: Examined) -> None:
    """D22, D28, Q20, Q22, Q23, Q28 and Q30. Raises LdapError."""
    server = each.server
    if each.checks.has(Finding.Q31, place=server.place_of("BindEntryDn")):
        return
    if server.group_base != server.person_base and await base_is_readable(each, "GroupResolveBase") is None:
        return
    attributes = (server.group_name_attribute, *_member_attributes(each))
    wanted = of_group_class(server.group_class)
    try:
        found = await ask(
            each.connection, server.group_base, server.group_scope, wanted, attributes, limit=_MOST_GROUPS
        )
    except LIMITS as error:
        report_unlisted(each, server.group_class, error)
        return
    except NoSuchObject as error:
        report_base(each, "GroupResolveBase", error.message)
        return
    report_references(each, found)
    if not found.entries:
        await _find_other_class(each)
        return
    await _find_left_out(each)
    _check_attributes(each, found.entries)
    _check_sizes(each, found.entries)
    _check_places(each, found.entries)
    await _check_filter(each, found.entries)


async def _find_other_class(each: Examined) -> None:
    server = each.server
    for other, member in _CLASSES.items():
        if other.casefold() in map(str.casefold, names_of(server.group_class)):
            continue
        try:
            found = await ask(
                each.connection, server.group_base, server.group_scope, of_class(other), limit=1
            )
        except LdapError:
            continue
        if found.entries:
            each.add(
                Pitfall.D22,
                f"no {server.group_class} below {str(server.group_base)!r}, yet there is"
                f" {found.entries[0].dn},"
                f" which is a {other}",
                f'set GroupObjectClass="{other}" GroupMemberAttribute="{member}"'
                f' GroupResolveFilter="(&amp;(objectclass={other})(cn=%s*))"'
                f' GroupMembership="(&amp;(objectclass={other})({member}=%s))"',
                key="GroupObjectClass",
            )
            return
    message = f"no {server.group_class} below {str(server.group_base) or 'the root'!r}"
    each.add(Finding.Q29 if each.anonymous else Finding.Q28, message, key="GroupResolveBase")


async def _find_left_out(each: Examined) -> None:
    """D22 for groups of further classes, which the settings leave out."""
    server = each.server
    classes = names_of(server.group_class)
    left_out: dict[str, str] = {}
    for other in _CLASSES:
        if other.casefold() in map(str.casefold, classes):
            continue
        wanted = both(of_class(other), Not(of_group_class(server.group_class)))
        try:
            found = await ask(each.connection, server.group_base, server.group_scope, wanted, limit=1)
        except LdapError:
            continue
        if found.entries:
            left_out[other] = found.entries[0].dn
    if left_out:
        names = (*classes, *left_out)
        members = dict.fromkeys((*_member_attributes(each), *(_CLASSES[name] for name in left_out)))
        parts = "".join(f"(objectclass={name})" for name in names)
        each.add(
            Pitfall.D22,
            f"GroupObjectClass={server.group_class!r} leaves out"
            f" {listed([f'{dn} ({name})' for name, dn in left_out.items()], 3)}",
            f'set GroupObjectClass="{",".join(names)}" GroupMemberAttribute="{",".join(members)}"'
            f' GroupResolveFilter="(&amp;(|{parts})(cn=%s*))"',
            key="GroupObjectClass",
        )


def _member_attributes(each: Examined) -> tuple[str, ...]:
    return names_of(each.server.group_member_attribute)


def _check_attributes(each: Examined, groups: tuple[Entry, ...]) -> None:
    server = each.server
    named = any(first(entry, server.group_name_attribute) for entry in groups)
    filled = any(_members(entry, server.group_member_attribute) for entry in groups)
    for setting, attribute, found in (
        ("GroupNameAttribute", server.group_name_attribute, named),
        ("GroupMemberAttribute", server.group_member_attribute, filled),
    ):
        if not found:
            message = f"none of {len(groups)} groups has {attribute} ({setting})"
            each.add(Finding.Q23, message, f"correct {setting}", key=setting)


def _members(entry: Entry, attribute: str) -> list[bytes]:
    """All values that came, with `member;range=0-1499` of Active Directory (config 3.5) counted."""
    wanted = {type_key(name) for name in names_of(attribute)}
    return [
        value
        for name, values in entry.attributes.items()
        if type_key(name.partition(";")[0]) in wanted
        for value in values
    ]


def _check_sizes(each: Examined, groups: tuple[Entry, ...]) -> None:
    large: list[tuple[int, str]] = []
    for entry in groups:
        count = len(_members(entry, each.server.group_member_attribute))
        if count > MOST_MEMBERS or any(_is_cut(name) for name in entry.attributes):
            large.append((count, entry.dn))
    large.sort(reverse=True)
    if large:
        shown = [f"{dn} has {count} members or more" for count, dn in large]
        each.add(Pitfall.D28, f"{each.site.line.server}: {listed(shown, 3)}")


def _is_cut(attribute: str) -> bool:
    """Whether this is a part of the values that ends at 1,000 or above."""
    _, _, option = attribute.casefold().partition(";range=")
    low, _, high = option.partition("-")
    return low == "0" and high.isdecimal() and int(high) >= MOST_MEMBERS - 1


def _check_places(each: Examined, groups: tuple[Entry, ...]) -> None:
    """Q30: members must be of the same server and base (config 3.3)."""
    bases = (each.server.person_base, each.server.group_base)
    outside: list[str] = []
    for entry in groups:
        for value in _members(entry, each.server.group_member_attribute)[:MOST_MEMBERS]:
            name = parsed(without_bits(value.decode("utf-8", "replace")))
            if name and not lies_under(name, bases):
                outside.append(f"{name} in {entry.dn}")
                break
    if outside:
        each.add(Finding.Q30, f"members that are below none of the bases: {listed(outside, 3)}")


async def _check_filter(each: Examined, groups: tuple[Entry, ...]) -> None:
    """Q22, by a real search for a group that the directory has; Q24 when it is refused."""
    server = each.server
    names = [name for entry in groups[:3] if (name := first(entry, server.group_name_attribute))]
    for name in names:
        try:
            found = await ask(
                each.connection,
                server.group_base,
                server.group_scope,
                server.group_filter.encode(name),
                limit=_SAMPLE,
            )
        except LIMITS as error:
            message = f"GroupResolveFilter is refused: {error.message}"
            each.add(Finding.Q24, message, key="GroupResolveFilter")
            return
        if found.entries or found.more:
            break
    else:
        if names:
            each.add(
                Finding.Q22,
                f"GroupResolveFilter does not find {listed(names)}",
                f"compare GroupResolveFilter={server.group_filter.text!r} with these groups",
                key="GroupResolveFilter",
            )
    if server.group_membership is not None:
        await _check_membership(each)


async def _check_membership(each: Examined) -> None:
    """GroupMembership serves policies; it is asked for with a DN, and only has to be accepted."""
    server, template = each.server, each.server.group_membership
    assert template is not None
    try:
        await ask(
            each.connection,
            server.group_base,
            server.group_scope,
            template.encode(f"cn=quintet-doctor,{server.person_base}"),
            limit=1,
        )
    except LIMITS as error:
        each.add(
            Finding.Q24,
            f"GroupMembership {template.text!r} is refused: {error.message}",
            f"index {server.group_member_attribute} for equality at the server",
            key="GroupMembership",
        )
