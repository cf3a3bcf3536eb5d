"""Data flow 2: a name as typed becomes people and groups, from every server in `SearchOrder`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from quintet.config import DirectorySettings
from quintet.directory.entries import LONGEST_DN, group, identity, parsed, person, same, texts
from quintet.directory.identified import by_dn, id_filter, is_group
from quintet.directory.queries import Pauses, is_name, name_filter, query_servers
from quintet.directory.records import Group, Person, Resolution
from quintet.directory.services import Service
from quintet.directory.snapshot import FoundEntries, Server, Snapshot


@dataclass(frozen=True, slots=True)
class _Match:
    """A record and whether the name as typed is its name, mail or ID."""

    record: Person | Group
    exact: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """What one server has: people, groups, and what kept others back."""

    people: Sequence[_Match] = ()
    groups: Sequence[_Match] = ()
    cut: bool = False
    missing_bases: tuple[str, ...] = ()


async def resolve(snapshot: Snapshot, name: str, *, people: bool = True, groups: bool = True) -> Resolution:
    """All matches, those first whose name is the name as typed; people before groups, servers in order.

    An ID (a DN, or a value of `UserIdAttribute`) resolves to what has it, and to nothing else at that server.
    One `*` at the end is dropped, others are literal. Raises DirectoryUnavailableError, UntrustedServerError
    and UnencryptedBindError when no server answers.
    """
    name = name.strip()
    if not is_name(name) or not may_be_resolved(name, snapshot.directory):
        return Resolution((), exact=False, complete=True)

    async def question(server: Server) -> _Part:
        return await _at(server, name, snapshot.directory, people=people, groups=groups)

    answers = await query_servers(snapshot.servers, question)
    parts = [part for _, part in answers.given]
    matches = await _merged(
        [*(m for part in parts for m in part.people), *(m for part in parts for m in part.groups)]
    )
    limit = snapshot.directory.max_results
    truncated = len(matches) > limit or any(part.cut for part in parts)
    missing = tuple(dict.fromkeys(base for part in parts for base in part.missing_bases))
    return Resolution(
        tuple([match.record for match in matches[:limit]]),
        exact=sum([match.exact for match in matches]) == 1,
        complete=not (truncated or answers.failures or missing),
        truncated=truncated,
        unavailable=answers.unavailable,
        missing_bases=missing,
    )


def may_be_resolved(name: str, directory: DirectorySettings) -> bool:
    """Row C83: whether the lists of mail domains let this name, or mail address, be looked up.

    Names without a domain pass: who is found by them is judged by the mail address.
    """
    if "@" not in name or not (directory.resolve_blacklist or directory.resolve_whitelist):
        return True
    domain = name.rstrip("*").rpartition("@")[2].strip().casefold().rstrip(".")
    if any(_covers(each, domain) for each in directory.resolve_blacklist):
        return False
    allowed = directory.resolve_whitelist
    return not allowed or any(_covers(each, domain) for each in allowed)


def _covers(listed: str, domain: str) -> bool:
    """`*.d.org` covers d.org and all below it, `d.org` only itself."""
    listed = listed.strip().casefold()
    if listed.startswith("*."):
        return domain == listed[2:] or domain.endswith(listed[1:])
    return domain == listed


async def _at(
    server: Server, name: str, directory: DirectorySettings, *, people: bool, groups: bool
) -> _Part:
    settings = server.settings
    entry = await by_dn(server, name, people=people, groups=groups)
    if entry is not None:
        found_by_dn = FoundEntries((entry,))
        if is_group(server, entry):
            return _Part(groups=await _groups(found_by_dn, server, name))
        return _Part(people=await _people(found_by_dn, server, name, directory))
    people_filter = name_filter(settings.person_filter.encode, name) if people else None
    groups_filter = name_filter(settings.group_filter.encode, name) if groups else None
    ids_filter = id_filter(server, name) if people else None
    asked = [
        (search, tree)
        for search, tree in (
            (server.people_search, people_filter),
            (server.groups_search, groups_filter),
            (server.people_search, ids_filter),
        )
        if tree is not None
    ]
    if not asked:
        return _Part()
    found = await server.find_all(Service.RESOLVE_NAMES, asked, in_part=True)
    if ids_filter is not None:
        *found, by_id = found
        if by_id.entries:
            return _Part(people=await _people(by_id, server, name, directory))
    return _Part(
        await _people(found[0], server, name, directory) if people_filter is not None else (),
        await _groups(found[-1], server, name) if groups_filter is not None else (),
        cut=any(each.cut for each in found),
        missing_bases=tuple([each.missing_base for each in found if each.missing_base]),
    )


async def _people(
    found: FoundEntries, server: Server, name: str, directory: DirectorySettings
) -> list[_Match]:
    settings = server.settings
    matches = []
    pauses = Pauses()
    for entry in found.entries:
        record = person(entry, settings)
        if may_be_resolved(record.mail or "", directory):
            called = (record.id, *texts(entry, settings.name_attribute), record.mail or "")
            matches.append(_match(record, name, called))
            await pauses.after(len(entry.dn) + sum(map(len, called)))
    return matches


async def _groups(found: FoundEntries, server: Server, name: str) -> list[_Match]:
    settings = server.settings
    matches = []
    pauses = Pauses()
    for entry in found.entries:
        called = texts(entry, settings.group_name_attribute)
        matches.append(_match(group(entry, settings), name, called))
        await pauses.after(len(entry.dn) + sum(map(len, called)))
    return matches


def _match(record: Person | Group, name: str, called: Iterable[str]) -> _Match:
    """Whether it is called so. Of an entry with very many names, those beyond LONGEST_DN are left out."""
    left = LONGEST_DN
    for each in called:
        left -= len(each)
        if left < 0:
            break
        if name == each or same(name, each):
            return _Match(record, exact=True)
    typed = parsed(name) if "=" in name else None
    return _Match(record, exact=typed is not None and typed == parsed(record.dn))


async def _merged(matches: list[_Match]) -> list[_Match]:
    """Each entry once, although two searches or two servers gave it; exact ones first."""
    if len(matches) <= 1:
        return matches
    once: dict[object, _Match] = {}
    pauses = Pauses()
    for match in matches:
        once.setdefault((type(match.record), identity(match.record.dn)), match)
        await pauses.after(len(match.record.dn))
    return sorted(once.values(), key=lambda match: not match.exact)
