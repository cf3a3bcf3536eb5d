"""Signing in over HTTP, who is an administrator, and people and groups by the handles of URLs."""

import base64
import binascii
from contextlib import suppress

from starlette.requests import Request

from quintet.directory import (
    AmbiguousNameError,
    DirectoryError,
    Group,
    Person,
    Protection,
    UnknownNameError,
    limited_sign_in,
)
from quintet.ldap import DN, DNSyntaxError
from quintet.web.security import client_of, session_of
from quintet.web.sessions import WebSession
from quintet.web.site import Site

LONGEST_NAME = 1024
LONGEST_HANDLE = 1400
"""Characters of base64 for LONGEST_NAME bytes."""


async def sign_in(site: Site, request: Request, name: str, password: str) -> tuple[str, WebSession]:
    """Begin a session, and end the one that the browser had. Returns the ID for the cookie, and the session.

    Raises TooManyAttemptsError before the directory is asked; AuthenticationError, the same for an unknown
    name and a wrong password; DirectoryUnavailableError and its kin.
    """
    async with limited_sign_in(site.attempts, name, client_of(request, site.web).address) as begun:
        person = await site.directory.authenticate(name, password)
        begun.succeeded()
    old = session_of(request, site.sessions, site.web)
    if old is not None:
        site.sessions.end(old)
    return site.sessions.begin(name, person, administrator=await _is_administrator(site, person))


async def current_session(site: Site, request: Request) -> WebSession | None:
    """The session of a request. It ends here when its person is no longer in the directory.

    While the directory can't be asked, a session stays as it is, and is checked again by the next request.
    """
    session = session_of(request, site.sessions, site.web)
    if session is None or not site.sessions.needs_check(session):
        return session
    try:
        person = await site.directory.resolve_login(session.login)
        administrator = await _is_administrator(site, person)
    except (UnknownNameError, AmbiguousNameError):
        site.sessions.end(session)
        return None
    except DirectoryError:
        return session
    if person.dn != session.person.dn:
        site.sessions.end(session)
        return None
    session.administrator = administrator
    site.sessions.seen(session)
    return session


async def _is_administrator(site: Site, person: Person) -> bool:
    """Whether the person is in `QUINTET_ADMIN_GROUP`.

    Groups are believed only where every connection is encrypted: on others, someone on the network could add
    the person to the group.
    """
    wanted = site.web.admin_group
    if not wanted or site.directory.protection is not Protection.ALL:
        return False
    named = _parsed(wanted)
    groups = await site.directory.groups_of(person)
    return any(
        _parsed(each.dn) == named if named else each.name.casefold() == wanted.casefold() for each in groups
    )


# Handles: an ID in a URL, where slashes and %2F would not survive proxies.


def handle_of(ident: str) -> str:
    """The ID's UTF-8 in base64url without padding (RFC 4648 5)."""
    return base64.urlsafe_b64encode(ident.encode(errors="surrogateescape")).decode().rstrip("=")


def ident_of(handle: str) -> str | None:
    """The ID of a handle; None when it is not one."""
    try:
        padded = handle + "=" * (-len(handle) % 4)
        data = base64.b64decode(padded, altchars=b"-_", validate=True)
        ident = data.decode()
    except (binascii.Error, ValueError):
        return None
    return ident if ident.strip() and len(data) <= LONGEST_NAME and handle_of(ident) == handle else None


async def find_person(site: Site, handle: str) -> Person | None:
    """The person with this handle. Raises DirectoryUnavailableError and its kin."""
    found = await _find(site, handle, people=True)
    return found if isinstance(found, Person) else None


async def find_group(site: Site, handle: str) -> Group | None:
    """The group with this handle. Raises DirectoryUnavailableError and its kin."""
    found = await _find(site, handle, people=False)
    return found if isinstance(found, Group) else None


async def _find(site: Site, handle: str, *, people: bool) -> Person | Group | None:
    """By the ID itself, and for a DN by the values of its first RDN: the match must have that very ID."""
    ident = ident_of(handle)
    if ident is None:
        return None
    name = _parsed(ident)
    first = name.rdns[0] if name and name.rdns else ()
    values = [value for _, value in first if isinstance(value, str)]
    for asked in (ident, *values):
        found = await site.directory.resolve(asked, people=people, groups=not people)
        for each in found.matches:
            if each.id == ident or (name is not None and _parsed(each.id) == name):
                return each
    if people:
        for asked in values:
            with suppress(UnknownNameError, AmbiguousNameError):
                person = await site.directory.resolve_login(asked)
                if person.id == ident:
                    return person
    return None


def _parsed(text: str) -> DN | None:
    if "=" not in text:
        return None
    try:
        return DN.parse(text)
    except DNSyntaxError:
        return None
