"""Walk 2: a name as typed becomes people and groups, out of every server in `SearchOrder`."""

from dataclasses import dataclass

from quintet.config import DirectorySettings
from quintet.directory.entries import (
    group,
    group_attributes,
    identity,
    parsed,
    person,
    person_attributes,
    same,
    texts,
)
from quintet.directory.name_filter import name_filter
from quintet.directory.queries import gather_or_cancel, query_servers
from quintet.directory.records import Group, Person, Resolution
from quintet.directory.services import Service
from quintet.directory.snapshot import Server, Snapshot


@dataclass(frozen=True, slots=True)
class _Match:
    """A record and whether the name as typed is its name, mail or ID."""

    record: Person | Group
    exact: bool


@dataclass(frozen=True, slots=True)
class _Part:
    matches: tuple[_Match, ...] = ()
    cut: bool = False
    missing_base: str | None = None


async def resolve(view: Snapshot, name: str, *, people: bool = True, groups: bool = True) -> Resolution:
    """All matches, those first whose name is the name as typed; people before groups, servers in order.

    One `*` at the end is dropped, others are literal. Raises DirectoryUnavailableError and its kin when no server answers.
    """
    name = name.strip()
    if not may_be_resolved(name, view.directory):
        return Resolution((), exact=False, complete=True)
    limit = view.directory.max_results

    async def question(server: Server) -> tuple[_Part, _Part]:
        found, others = await gather_or_cancel(
            (
                _people(server, name, view.directory) if people else _nothing(),
                _groups(server, name, limit) if groups else _nothing(),
            )
        )
        return found, others

    answers = await query_servers(view.servers, question)
    parts = [part for _, both in answers.given for part in both]
    matches = _merged([match for nth in (0, 1) for _, both in answers.given for match in both[nth].matches])
    truncated = any(part.cut for part in parts) or len(matches) > limit
    missing = dict.fromkeys(part.missing_base for part in parts if part.missing_base)
    return Resolution(
        tuple(match.record for match in matches[:limit]),
        exact=sum(match.exact for match in matches) == 1,
        complete=not (truncated or answers.failures or missing),
        truncated=truncated,
        unavailable=answers.unavailable,
        missing_bases=tuple(missing),
    )


def may_be_resolved(name: str, directory: DirectorySettings) -> bool:
    """Row C83: whether the lists of mail domains let this name, or mail address, be looked up.

    Names without a domain pass: who is found by them is judged by the mail address.
    """
    domain = name.rstrip("*").rpartition("@")[2].strip().casefold().rstrip(".") if "@" in name else None
    if domain is None:
        return True
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


async def _nothing() -> _Part:
    return _Part()


async def _people(server: Server, name: str, directory: DirectorySettings) -> _Part:
    settings = server.settings
    filled = name_filter(settings.person_filter.encode, name)
    if filled is None:
        return _Part()
    found = await server.search(
        Service.RESOLVE_NAMES,
        settings.person_base,
        settings.person_scope.value,
        filled,
        person_attributes(settings),
        limit=directory.max_results,
        in_part=True,
    )
    return _Part(
        tuple(
            _match(record, name, (record.id, *texts(entry, settings.name_attribute), record.mail or ""))
            for entry in found.entries
            for record in (person(entry, settings),)
            if may_be_resolved(record.mail or "", directory)
        ),
        found.cut,
        found.missing_base,
    )


async def _groups(server: Server, name: str, limit: int) -> _Part:
    settings = server.settings
    filled = name_filter(settings.group_filter.encode, name)
    if filled is None:
        return _Part()
    found = await server.search(
        Service.RESOLVE_NAMES,
        settings.group_base,
        settings.group_scope.value,
        filled,
        group_attributes(settings),
        limit=limit,
        in_part=True,
    )
    return _Part(
        tuple(
            _match(group(entry, settings), name, texts(entry, settings.group_name_attribute))
            for entry in found.entries
        ),
        found.cut,
        found.missing_base,
    )


def _match(record: Person | Group, name: str, called: tuple[str, ...] | list[str]) -> _Match:
    typed = parsed(name) if "=" in name else None
    exact = any(same(name, each) for each in called) or (typed is not None and typed == parsed(record.dn))
    return _Match(record, exact)


def _merged(matches: list[_Match]) -> list[_Match]:
    """Each entry once, although two searches or two servers gave it; exact ones first."""
    once: dict[object, _Match] = {}
    for match in matches:
        once.setdefault((type(match.record), identity(match.record.dn)), match)
    return sorted(once.values(), key=lambda match: not match.exact)
