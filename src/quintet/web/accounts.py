"""Signing in over HTTP, who is an administrator, and people and groups by the handles of URLs."""

import base64
import binascii
from contextlib import suppress

from starlette.requests import HTTPConnection

from quintet.config import WebSettings, group_name
from quintet.directory import (
    AmbiguousNameError,
    DirectoryError,
    Group,
    Person,
    UnknownNameError,
    VerifiedPerson,
    limited_sign_in,
    network_of,
)
from quintet.ldap import DN, DNSyntaxError
from quintet.web.security import client_of, session_key
from quintet.web.sessions import SessionsUnavailableError, WebSession
from quintet.web.site import Site

LONGEST_NAME = 1024
LONGEST_HANDLE = 1400
"""Characters of base64 for LONGEST_NAME bytes."""


async def sign_in(site: Site, request: HTTPConnection, name: str, password: str) -> tuple[str, WebSession]:
    """Begin a session, and end the one that the browser had. Returns the ID for the cookie, and the session.

    Raises as `check_password`.
    """
    verified = await check_password(site, request, name, password)
    key = session_key(request, site.web)
    old = None if key is None else await site.sessions.find(key)
    if old is not None:
        await site.sessions.end(old)
    return await site.sessions.begin(name, verified, administrator=is_administrator(site.web, verified))


async def check_password(site: Site, request: HTTPConnection, name: str, password: str) -> VerifiedPerson:
    """Who has this name and password, with groups and attributes where something is granted by them.

    Raises TooManyAttemptsError before the directory is asked; AuthenticationError, the same for an unknown
    name and a wrong password; DirectoryUnavailableError and its kin.
    """
    web = site.web
    async with limited_sign_in(site.attempts, name, client_of(request, web).address) as begun:
        if web.grants:
            verified = await site.directory.verify(
                name, password, attributes=attributes_of(web), unencrypted=web.allow_unencrypted_groups
            )
        else:
            verified = VerifiedPerson(await site.directory.authenticate(name, password))
        begun.succeeded()
    return verified


def may_ask(site: Site, request: HTTPConnection, session: WebSession) -> bool:
    """Whether the limits for networks and accounts leave this request of a session, which is counted."""
    network = network_of(client_of(request, site.web).address)
    return site.limits.network_may_ask(network) and site.limits.account_may_ask(session.person.id, network)


async def current_session(site: Site, request: HTTPConnection) -> WebSession | None:
    """The session of a request. It ends here when its person may no longer sign in."""
    key = session_key(request, site.web)
    session = None if key is None else await site.sessions.find(key)
    if session is None or not site.sessions.needs_check(session):
        return session
    return await rechecked(site, session)


async def rechecked(site: Site, session: WebSession) -> WebSession | None:
    """The session, with what the directory says of its person now, if it was not asked lately.

    None when the person's entry is gone or disabled, which ends the session. While the directory can't be
    asked, a session stays as it is, and is checked again by the next request.
    """
    if not site.sessions.needs_check(session):
        return session
    web, before = site.web, site.sessions.begin_check(session)
    try:
        verified = await site.directory.recheck(
            session.verified,
            session.login,
            attributes=attributes_of(web),
            unencrypted=web.allow_unencrypted_groups,
        )
    except DirectoryError:
        session.checked = before
        return session
    if verified is None:
        await site.sessions.end(session)
        return None
    session.verified, session.administrator = verified, is_administrator(web, verified)
    await site.sessions.keep_check(session)
    return session


async def is_signed_in(site: Site, session: WebSession) -> bool:
    """Whether a session goes on, for what lasts longer than a request. Asking is no use of the session."""
    try:
        return not await site.sessions.has_ended(session) and await rechecked(site, session) is not None
    except SessionsUnavailableError:
        return False


def attributes_of(web: WebSettings) -> tuple[str, ...]:
    """The attributes of people that applications learn."""
    return tuple(dict.fromkeys(each.user_attribute for each in web.applications))


def is_administrator(web: WebSettings, verified: VerifiedPerson) -> bool:
    """Whether the person is in `QUINTET_ADMIN_GROUP`, as far as that can be believed."""
    if not web.admin_group:
        return False
    wanted = group_name(web.admin_group)
    return any(wanted.is_group(each.name, _parsed(each.dn)) for each in verified.groups or ())


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
