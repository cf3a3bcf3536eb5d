"""All checks, one after the other where one needs the other, else side by side. Nothing is changed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from quintet.admin.doctor import accounts, cards, groups, handshakes, people, stores
from quintet.admin.doctor.accounts import AccountBind
from quintet.admin.doctor.as_sametime import try_as_sametime
from quintet.admin.doctor.cards import CheckedCardServer
from quintet.admin.doctor.checks import CheckArea, Checks
from quintet.admin.doctor.handshakes import Way, way_of
from quintet.admin.doctor.mail_shortcut import check_mail_shortcut
from quintet.admin.doctor.people import Examined
from quintet.admin.doctor.roots import Root, check_kind, compare, read_root
from quintet.admin.doctor.sites import DirectorySite, sites_of
from quintet.config import ClusterSettings, Settings, read
from quintet.diagnostics import Diagnostic, Finding, Pitfall, Severity
from quintet.directory import BIND_REQUIRED, BoundConnection, Endpoint, sametime_id

if TYPE_CHECKING:
    from quintet.ldap import Entry

ClusterExaminer = Callable[[ClusterSettings], Awaitable[Iterable[Diagnostic]]]

_LONG = 60.0
_BOUND = (CheckArea.SERVERS, CheckArea.PEOPLE, CheckArea.GROUPS, CheckArea.CARDS)
"""The parts that ask a server as its account."""
_ONLINE = (CheckArea.CONNECTIONS, CheckArea.ACCOUNTS, *_BOUND)

_REQUESTED = "USE_SEPARATE_FILTER_FOR_MAIL_SEARCHES"
"""A key that Quintet ignores, and that the fix of D39 asks for."""


async def examine(
    folder: Path,
    environ: Mapping[str, str],
    *,
    for_sametime: bool = False,
    checks: Checks | None = None,
    examine_cluster: ClusterExaminer | None = None,
) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with the settings in `folder` and the directories that they name.

    Errors come first; a folder without problems gives none. `for_sametime` also tells what only Sametime
    itself cannot do. The load on a directory is bounded: each search has limits of size and time. `checks`
    chooses the parts, tells meanwhile what is being waited for, and has the tally afterwards.
    `examine_cluster` says what is wrong with the server that several nodes share.
    """
    checks = Checks() if checks is None else checks
    settings: Settings | None = None
    damaged: frozenset[str] = frozenset()

    def read_settings() -> None:
        nonlocal settings, damaged
        settings, problems = read(folder, environ)
        damaged = _damaged(problems)
        _include(problems, checks)

    checks.run_now("the settings", read_settings)
    if settings is None:
        checks.skip("stores, connections, accounts and searches", "the settings can't be used")
    else:
        chosen = settings

        async def look_at_cluster() -> None:
            if chosen.cluster is not None and examine_cluster is not None:
                for each in await examine_cluster(chosen.cluster):
                    checks.of(CheckArea.CLUSTER).include(each)

        if chosen.cluster is not None and checks.wants(CheckArea.CLUSTER):
            await checks.run("Valkey or Redis", look_at_cluster)

        async def examine_all() -> None:
            await _examine(chosen, damaged, checks, for_sametime=for_sametime)

        await checks.run("the examination as a whole", examine_all, seconds=None)  # its parts have limits
    return checks.found


async def _examine(
    settings: Settings, damaged: frozenset[str], checks: Checks, *, for_sametime: bool
) -> None:
    at_stores, online = checks.of(CheckArea.STORES), checks.of(CheckArea.CONNECTIONS)
    at_stores.run_now("the stores", lambda: stores.examine(settings, at_stores, for_sametime=for_sametime))
    if not checks.wants(*_ONLINE):
        return
    sites = tuple(sites_of(settings))
    for file in sorted(damaged - {site.place.file for site in sites}):
        if file.casefold().endswith(".xml"):  # the others name no server
            checks.skip(f"the servers of {file}", "it has errors")
    good: frozenset[Way] = frozenset()

    async def connect_to_all() -> None:
        nonlocal good
        good = await handshakes.examine(sites, online)

    await online.run("the connections", connect_to_all, seconds=None)  # each address has its own limit
    if for_sametime:
        await online.run("handshakes as Sametime", lambda: try_as_sametime(sites, good, online))
    if checks.wants(CheckArea.ACCOUNTS, *_BOUND):
        await _directories(_usable(sites, good, damaged, checks), settings, checks)


def _include(problems: Iterable[Diagnostic], checks: Checks) -> None:
    """What `quintet check` finds, apart from notes that files which need not exist are missing."""
    for problem in problems:
        requested = problem.code is Finding.Q57 and problem.key == _REQUESTED
        absent = problem.code is Finding.Q41 and problem.severity is Severity.NOTE
        if not requested and not absent:
            checks.include(problem)


def _damaged(problems: Iterable[Diagnostic]) -> frozenset[str]:
    """The files that have an error: what they would have said is not known."""
    errors = (each.place for each in problems if each.severity is Severity.ERROR)
    return frozenset(place.file for place in errors if place is not None)


async def _directories(
    ready: Sequence[tuple[DirectorySite, Endpoint]], settings: Settings, checks: Checks
) -> None:
    outcomes = await accounts.examine(ready, settings, checks.of(CheckArea.ACCOUNTS))
    try:
        if checks.wants(*_BOUND):
            await _data(outcomes, settings, checks)
    finally:
        await asyncio.gather(*(each.ready.connection.close() for each in outcomes if each.ready))


def _usable(
    sites: Sequence[DirectorySite], good: frozenset[Way], damaged: frozenset[str], checks: Checks
) -> list[tuple[DirectorySite, Endpoint]]:
    """The sites that can be asked, each with its first host that answers."""
    found: list[tuple[DirectorySite, Endpoint]] = []
    for site in sites:
        endpoint = next((each for each in site.line.hosts if way_of(each) in good), None)
        if endpoint is None:
            checks.skip(f"account and searches of {site.name}", "it cannot be connected to")
        elif site.place.file in damaged:
            checks.skip(f"account and searches of {site.name}", f"{site.place.file} has errors")
        else:
            found.append((site, endpoint))
    return found


async def _data(outcomes: Sequence[AccountBind], settings: Settings, checks: Checks) -> None:
    asked = [(each.site, each.ready) for each in outcomes if each.ready is not None]
    for each in outcomes:
        if each.ready is None:
            checks.skip(f"searches of {each.site.name}", "its account is not accepted")
    roots: list[tuple[DirectorySite, Root]] = []
    known: list[tuple[str, str]] = []

    async def one(site: DirectorySite, ready: BoundConnection) -> None:
        root, at_root = Root(), checks.of(CheckArea.SERVERS)

        async def look() -> None:
            nonlocal root
            try:
                root = await read_root(ready.connection, site)
            except BIND_REQUIRED:
                if ready.bound_as is not None:
                    raise
                return  # reported as soon as its base is read
            check_kind(site, root, at_root)
            if site.server is not None:
                roots.append((site, root))

        await at_root.run(f"the root of {site.name}", look)
        if site.server is not None:
            each = Examined(
                site, site.server, ready.connection, ready.bound_as is None, checks, root.naming_context
            )
            known.extend(await _server(each, settings))

    await asyncio.gather(*(one(site, ready) for site, ready in asked))
    at_root, at_cards = checks.of(CheckArea.SERVERS), checks.of(CheckArea.CARDS)
    at_people = checks.of(CheckArea.PEOPLE)
    at_root.run_now("the comparison of the servers", lambda: compare(roots, at_root))
    if checks.wants(CheckArea.CARDS):
        looked_at = await asyncio.gather(*(_card(*each, asked, known, at_cards) for each in asked))
        seen = [each for each in looked_at if each is not None]
        at_cards.run_now("the fields of the cards", lambda: cards.report_absent(seen, at_cards))
    at_people.run_now("searches by mail", lambda: check_mail_shortcut(settings, at_people))


async def _server(each: Examined, settings: Settings) -> tuple[tuple[str, str], ...]:
    """ID and DN of some people."""
    site, server, checks = each.site, each.server, each.checks
    if not server.person_base and checks.has(Pitfall.D19):
        checks.skip(f"searches of {site.name}", "its base is empty")
        return ()
    sample: list[Entry] = []

    at_people, at_groups = checks.of(CheckArea.PEOPLE), checks.of(CheckArea.GROUPS)

    async def look_at_people() -> None:
        sample.extend(await people.examine(replace(each, checks=at_people), settings))

    async def look_at_groups() -> None:
        await groups.examine(replace(each, checks=at_groups))

    if checks.wants(CheckArea.PEOPLE, CheckArea.CARDS):
        await at_people.run(f"the people of {site.name}", look_at_people, seconds=_LONG)
    if checks.wants(CheckArea.GROUPS):
        await at_groups.run(f"the groups of {site.name}", look_at_groups, seconds=_LONG)
    return tuple((sametime_id(entry, server), entry.dn) for entry in sample[:3])


async def _card(
    site: DirectorySite,
    ready: BoundConnection,
    others: Sequence[tuple[DirectorySite, BoundConnection]],
    known: Sequence[tuple[str, str]],
    checks: Checks,
) -> tuple[CheckedCardServer, list[str]] | None:
    """What was looked at, with the fields that no card has."""
    if site.card is None or site.storage is None:
        return None
    bound = next((r.connection for s, r in others if s.server and r.bound_as and _same_host(s, site)), None)
    looked_at = CheckedCardServer(
        site, site.card, site.storage, ready.connection, ready.bound_as is None, bound, checks
    )
    absent: list[str] = []

    async def look() -> None:
        absent.extend(await cards.examine(looked_at, known))

    await checks.run(site.name, look, seconds=_LONG)
    return looked_at, absent


def _same_host(one: DirectorySite, other: DirectorySite) -> bool:
    hosts = {endpoint.address.host.casefold() for endpoint in one.endpoints}
    return any(endpoint.address.host.casefold() in hosts for endpoint in other.endpoints)
