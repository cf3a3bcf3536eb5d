"""All checks, one after the other where one needs the other, else side by side. Nothing is changed."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quintet.admin.doctor import accounts, cards, files, groups, handshakes, people, stores
from quintet.admin.doctor.accounts import Outcome
from quintet.admin.doctor.as_sametime import try_as_sametime
from quintet.admin.doctor.cards import Cards
from quintet.admin.doctor.finding import Finding
from quintet.admin.doctor.handshakes import Way, way_of
from quintet.admin.doctor.mail_shortcut import check_mail_shortcut
from quintet.admin.doctor.people import Examined
from quintet.admin.doctor.report import Report
from quintet.admin.doctor.roots import Root, check_kind, compare, read_root
from quintet.admin.doctor.sites import Site, sites_of
from quintet.config.ini_values import IniValues
from quintet.config.load import Files, read, read_ini_values
from quintet.config.settings import Settings
from quintet.diagnostics import Diagnostics
from quintet.directory import BoundConnection, Endpoint, sametime_id

if TYPE_CHECKING:
    from quintet.ldap.messages import SearchResultEntry

_LONG = 60.0


async def examine(
    folder: Path, environ: Mapping[str, str], *, for_sametime: bool = False
) -> tuple[Finding, ...]:
    """Everything that is wrong with the settings in `folder` and the directories that they name.

    Errors come first; a sound folder has no findings. `for_sametime` also tells what only Sametime itself
    cannot do. The load on a directory is bounded: each search has limits of size and time.
    """
    report = Report()
    settings, problems = read(folder, environ)
    files.examine(problems, settings, report)
    if settings is not None:

        async def look_at_stores() -> None:
            stores.examine(settings, report, for_sametime=for_sametime)

        await report.check("the stores", look_at_stores)
        values = read_ini_values(Files(folder, {}, Diagnostics()), environ)
        sites = tuple(sites_of(settings))
        good = await handshakes.examine(_endpoints(sites), report)
        if for_sametime:
            await report.check(
                "handshakes as Sametime", lambda: try_as_sametime(_endpoints(sites), good, report)
            )
        ready = _usable(sites, good, files.damaged(problems), report)
        await _directories(ready, settings, values, report)
    return report.findings


def _endpoints(sites: Sequence[Site]) -> list[Endpoint]:
    return [endpoint for site in sites for endpoint in site.endpoints]


async def _directories(
    ready: Sequence[tuple[Site, Endpoint]], settings: Settings, values: IniValues, report: Report
) -> None:
    outcomes = await accounts.examine(ready, settings, report)
    try:
        await _data(outcomes, settings, values, report)
    finally:
        await asyncio.gather(*(each.ready.connection.close() for each in outcomes if each.ready))


def _usable(
    sites: Sequence[Site], good: frozenset[Way], damaged: frozenset[str], report: Report
) -> list[tuple[Site, Endpoint]]:
    """The sites that can be asked, each with its first host that answers."""
    found: list[tuple[Site, Endpoint]] = []
    for site in sites:
        endpoint = next((each for each in site.line.hosts if way_of(each) in good), None)
        if endpoint is None:
            report.skip(f"account and searches of {site.name}", "it cannot be connected to")
        elif site.place.file in damaged:
            report.skip(f"account and searches of {site.name}", f"{site.place.file} has errors")
        else:
            found.append((site, endpoint))
    return found


async def _data(outcomes: Sequence[Outcome], settings: Settings, values: IniValues, report: Report) -> None:
    asked = [(each.site, each.ready) for each in outcomes if each.ready is not None]
    for each in outcomes:
        if each.ready is None:
            report.skip(f"searches of {each.site.name}", "its account is not accepted")
    roots: list[tuple[Site, Root]] = []
    known: list[tuple[str, str]] = []

    async def one(site: Site, ready: BoundConnection) -> None:
        root = Root()

        async def look() -> None:
            nonlocal root
            root = await read_root(ready.connection, site)
            check_kind(site, root, report)
            if site.server is not None:
                roots.append((site, root))

        await report.check(f"the root of {site.name}", look)
        if site.server is not None:
            each = Examined(
                site, site.server, ready.connection, ready.bound_as is None, report, root.naming_context
            )
            known.extend(await _server(each, settings))

    await asyncio.gather(*(one(site, ready) for site, ready in asked))
    compare(roots, report)
    looked_at = await asyncio.gather(*(_card(site, ready, asked, known, report) for site, ready in asked))
    cards.tell_absent([each for each in looked_at if each is not None], report)
    check_mail_shortcut(settings, values, report)


async def _server(each: Examined, settings: Settings) -> tuple[tuple[str, str], ...]:
    """ID and DN of some people."""
    site, server, report = each.site, each.server, each.report
    if not server.person_base and report.has("D19"):
        report.skip(f"searches of {site.name}", "its base is empty")
        return ()
    sample: list[SearchResultEntry] = []

    async def look_at_people() -> None:
        sample.extend(await people.examine(each, settings))

    async def look_at_groups() -> None:
        await groups.examine(each)

    await report.check(f"the people of {site.name}", look_at_people, seconds=_LONG)
    await report.check(f"the groups of {site.name}", look_at_groups, seconds=_LONG)
    return tuple((sametime_id(entry, server), entry.dn) for entry in sample[:3])


async def _card(
    site: Site,
    ready: BoundConnection,
    others: Sequence[tuple[Site, BoundConnection]],
    known: Sequence[tuple[str, str]],
    report: Report,
) -> tuple[Cards, list[str]] | None:
    """What was looked at, with the fields that nobody has."""
    if site.card is None or site.storage is None:
        return None
    bound = next((r.connection for s, r in others if s.server and r.bound_as and _same_host(s, site)), None)
    looked_at = Cards(site, site.card, site.storage, ready.connection, ready.bound_as is None, bound, report)
    absent: list[str] = []

    async def look() -> None:
        absent.extend(await cards.examine(looked_at, known))

    await report.check(site.name, look, seconds=_LONG)
    return looked_at, absent


def _same_host(one: Site, other: Site) -> bool:
    hosts = {endpoint.address.host.casefold() for endpoint in one.endpoints}
    return any(endpoint.address.host.casefold() in hosts for endpoint in other.endpoints)
