"""The part of the API that is for administrators, and for programs with the scope "admin"."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Request

from quintet.directory import UnknownNameError
from quintet.storage import BearerToken
from quintet.web.accounts import LONGEST_HANDLE, ident_of
from quintet.web.activity import account_is_readable
from quintet.web.admin_documents import (
    CertificatesDocument,
    ConnectionDocument,
    ConnectionsDocument,
    DiagnosticsDocument,
    EndedDocument,
    ExplanationDocument,
    OpenSessionsDocument,
    ReloadDocument,
    ServiceDocument,
    TrialDocument,
)
from quintet.web.administration import (
    diagnostics,
    end_session,
    end_sessions_of,
    open_sessions,
    shown_certificates,
    watched_lines,
)
from quintet.web.problem import ProblemError, problem
from quintet.web.security import client_of, may_sign_in_here
from quintet.web.site import Site
from quintet.web.trial import try_person
from quintet.web.without_names import report

Dependency = Callable[..., Awaitable[Any]]

Handle = Annotated[str, Path(min_length=1, max_length=LONGEST_HANDLE, pattern=r"^[A-Za-z0-9_-]+$")]
SessionId = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]


def add_administration(
    api: FastAPI, site: Site, *, administrator: Dependency, from_here: Dependency, program: Dependency
) -> None:
    """Add the operations.

    `administrator` refuses all others, `from_here` what another site sends, and `program` knows tokens.
    """

    async def is_ours(request: Request, token: Annotated[BearerToken | None, Depends(program)]) -> None:
        """No other site makes a browser send a token."""
        if token is None:
            await from_here(request)

    reads = [Depends(administrator)]
    changes = [Depends(administrator), Depends(is_ours)]

    @api.get("/connections", dependencies=reads)
    async def connections() -> ConnectionsDocument:
        """The connections to the directory, by service and one by one."""
        rows = (*site.directory.status(), *site.cards.status())
        return ConnectionsDocument(
            protection=site.directory.protection.name.lower(),
            account_readable=account_is_readable(site.settings()),
            services=[ServiceDocument.of(line) for line in watched_lines(site)],
            connections=[ConnectionDocument.of(row) for row in rows],
        )

    @api.get("/certificates", dependencies=reads)
    async def certificates() -> CertificatesDocument:
        """The certificates that directory servers presented."""
        return CertificatesDocument(certificates=shown_certificates(watched_lines(site)))

    @api.get("/diagnostics", dependencies=reads)
    async def problems() -> DiagnosticsDocument:
        """What is wrong with the settings, with the fixes."""
        return diagnostics(site)

    @api.get("/sessions", dependencies=reads)
    async def sessions() -> OpenSessionsDocument:
        """Who is signed in, over HTTP and with a Sametime client."""
        return await open_sessions(site)

    @api.delete("/sessions/{ident}", dependencies=changes)
    async def end_one(ident: SessionId) -> EndedDocument:
        """End a session."""
        return _ended(await end_session(site, ident))

    @api.delete("/people/{handle}/sessions", dependencies=changes)
    async def end_all(handle: Handle) -> EndedDocument:
        """End all sessions of a person."""
        ident = ident_of(handle)
        return _ended(0 if ident is None else await end_sessions_of(site, ident))

    @api.post("/reload", dependencies=changes)
    async def reload() -> ReloadDocument:
        """Read the settings again, as SIGHUP does."""
        handler = site.requests.get("reload")
        if handler is None:
            raise ProblemError(problem(503, code="reload-unavailable"))
        if not (await handler({}))["applied"]:
            raise ProblemError(problem(409, site.rejected(), code="settings-rejected"))
        return ReloadDocument()

    @api.post("/explain", dependencies=changes)
    async def explain(request: Request, given: TrialDocument) -> ExplanationDocument:
        """Look a name up, or sign in with name and password, and tell each step.

        It is a real attempt, which counts for the limits and at the directory.
        """
        password = None if given.password is None else given.password.get_secret_value()
        if password is not None and not may_sign_in_here(client_of(request, site.web), site.web):
            raise ProblemError(
                problem(403, "passwords are accepted over HTTPS only", code="unencrypted-connection")
            )
        trial = await try_person(site, request, given.name, password)
        text = report(site.directory.protection, watched_lines(site), site.settings().problems, trial)
        return ExplanationDocument.of(trial, text)


def _ended(count: int) -> EndedDocument:
    if not count:
        raise UnknownNameError("no such session")
    return EndedDocument(ended=count)
