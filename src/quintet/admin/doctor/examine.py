"""All checks, one after the other where one needs the other, else side by side. Nothing is changed."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from quintet.admin.doctor import accounts, files, handshakes, stores
from quintet.admin.doctor.accounts import Outcome
from quintet.admin.doctor.finding import Finding
from quintet.admin.doctor.handshakes import Way, way_of
from quintet.admin.doctor.report import Report
from quintet.admin.doctor.sites import Site, sites_of
from quintet.config.load import read
from quintet.config.settings import Settings
from quintet.directory.endpoint import Endpoint


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
        stores.examine(settings, report, for_sametime=for_sametime)
        await _directories(settings, files.damaged(problems), report)
    return report.findings


async def _directories(settings: Settings, damaged: frozenset[str], report: Report) -> None:
    sites = tuple(sites_of(settings))
    good = await handshakes.examine((each for site in sites for each in site.endpoints), report)
    ready = tuple(_usable(sites, good, damaged, report))
    outcomes = await accounts.examine(ready, settings, report)
    try:
        await _data(outcomes, settings, report)
    finally:
        await asyncio.gather(*(each.ready.connection.close() for each in outcomes if each.ready))


def _usable(
    sites: Sequence[Site], good: frozenset[Way], damaged: frozenset[str], report: Report
) -> list[tuple[Site, Endpoint]]:
    """The sites that can be asked, each with its first host that answers."""
    found: list[tuple[Site, Endpoint]] = []
    for site in sites:
        endpoint = next((each for each in site.line.endpoints if way_of(each) in good), None)
        if endpoint is None:
            report.skip(f"account and searches of {site.name}", "it cannot be connected to")
        elif site.place.file in damaged:
            report.skip(f"account and searches of {site.name}", f"{site.place.file} has errors")
        else:
            found.append((site, endpoint))
    return found


async def _data(outcomes: Sequence[Outcome], settings: Settings, report: Report) -> None:
    for outcome in outcomes:
        if outcome.ready is None:
            report.skip(f"searches of {outcome.site.name}", "its account is not accepted")
