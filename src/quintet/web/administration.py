"""What administrators see and do, for the API and the pages alike."""

from collections.abc import Sequence
from typing import Any

from quintet.directory import identity, parsed
from quintet.web.activity import Line, lines
from quintet.web.admin_documents import (
    CertificateDocument,
    DiagnosticDocument,
    DiagnosticsDocument,
    OpenSessionDocument,
    OpenSessionsDocument,
    SametimeSessionDocument,
    ShownCertificateDocument,
)
from quintet.web.site import Site


def watched_lines(site: Site) -> tuple[Line, ...]:
    """The connections of all six services, as they are now."""
    return lines((*site.directory.status(), *site.cards.status()), site.activity)


def shown_certificates(shown: Sequence[Line]) -> list[ShownCertificateDocument]:
    """Every certificate that a server presented, the first to expire first."""
    found = dict.fromkeys(certificate for line in shown for certificate in line.certificates)
    return [
        ShownCertificateDocument(
            certificate=CertificateDocument.of(each),
            services=[line.service.value for line in shown if each in line.certificates],
            servers=list(dict.fromkeys(line.server for line in shown if each in line.certificates)),
        )
        for each in sorted(found, key=lambda each: each.expires)
    ]


def diagnostics(site: Site) -> DiagnosticsDocument:
    """What is wrong with the settings in use, and why newer ones are not."""
    problems = [DiagnosticDocument.of(each) for each in site.settings().problems]
    return DiagnosticsDocument(problems=problems, rejected=site.rejected() or None)


async def open_sessions(site: Site) -> OpenSessionsDocument:
    """Who is signed in, over HTTP and with a Sametime client."""
    return OpenSessionsDocument(
        sessions=[OpenSessionDocument.of(each) for each in await site.sessions.all()],
        sametime=[SametimeSessionDocument.of(each) for each in await _ask(site, "sessions") or ()],
    )


async def end_session(site: Site, ident: str) -> int:
    """End the session with this public ID, of either kind. How many there were."""
    for session in await site.sessions.all():
        if session.public_id == ident:
            await site.sessions.end(session)
            return 1
    if ident in {each["id"] for each in await _ask(site, "sessions") or ()}:
        return int(await _ask(site, "end-sessions", name=ident) or 0)
    return 0


async def end_sessions_of(site: Site, ident: str) -> int:
    """End all sessions of the person with this Sametime ID, of both kinds. How many there were."""
    found = [each for each in await site.sessions.all() if _is_same(each.person.id, ident)]
    for session in found:
        await site.sessions.end(session)
    return len(found) + int(await _ask(site, "end-sessions", name=ident) or 0)


def _is_same(one: str, other: str) -> bool:
    """Whether two Sametime IDs are of one person; DNs have several spellings."""
    return one == other or (parsed(one) is not None and identity(one) == identity(other))


async def _ask(site: Site, request: str, **arguments: str) -> Any:
    """What the running server answers; None where it has nothing of the kind."""
    handler = site.requests.get(request)
    return None if handler is None else await handler(arguments)
