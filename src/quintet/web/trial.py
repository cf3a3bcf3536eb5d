"""An administrator tries one person: the very sign-in of the pages, over the running pools, step by step.

Nothing is called successful that was not tried. Without a password the name is looked up, and neither groups
nor applications are judged. With one, the sign-in counts for the limits as any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from starlette.requests import Request

from quintet.admin.explain import SignInExplanation, explain
from quintet.config import ApplicationSettings, ServerSettings, WebSettings, group_name
from quintet.directory import (
    Group,
    GroupLevel,
    Person,
    Searched,
    Service,
    TooManyAttemptsError,
    VerifiedPerson,
    attribute_key,
    identity,
    parsed,
    protection_of,
)
from quintet.web.accounts import check_password, is_administrator
from quintet.web.forward_auth import AccessRefusedError, remote_headers
from quintet.web.site import Site

_NOT_TRIED = "not tried: no password was given"
_REFUSED = "not tried: the sign-in failed"


@dataclass(frozen=True, slots=True)
class ShownValue:
    """A value of the person, with the attribute, server and filter that it came from.

    `attribute` names several where the value is made of them. `over` is the service whose connection was
    used, None for the service's own.
    """

    name: str
    value: str
    attribute: str
    service: Service
    over: Service | None
    server: str
    filter: str


@dataclass(frozen=True, slots=True)
class GroupVerdict:
    """A group of the person. `counts` is None where that was not tried. `uses` are what it grants."""

    group: Group
    level: int | None
    counts: bool | None
    why: str
    uses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApplicationVerdict:
    """What the proxy of an application is answered. `status` is None where that was not tried."""

    name: str
    status: int | None
    why: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of it. `administrator` is None where that was not tried."""

    name: str
    explanation: SignInExplanation
    administrator: bool | None
    values: tuple[ShownValue, ...]
    groups: tuple[GroupVerdict, ...]
    applications: tuple[ApplicationVerdict, ...]


async def try_person(site: Site, request: Request, name: str, password: str | None) -> Trial:
    """Look the name up, and sign in if there is a password. Raises TooManyAttemptsError."""
    verified: VerifiedPerson | None = None

    async def sign_in() -> Person:
        nonlocal verified
        assert password is not None
        verified = await check_password(site, request, name, password)
        return verified.person

    found = await explain(site.directory, site.cards, name, None if password is None else sign_in)
    if isinstance(found.failure, TooManyAttemptsError):
        raise found.failure
    untried = "" if verified else _REFUSED if found.tried else _NOT_TRIED
    return Trial(
        name,
        found,
        None if verified is None else is_administrator(site.web, verified),
        tuple(_values(site, found, verified)),
        tuple(_groups(site, found, verified, untried)),
        tuple(_application(each, verified, untried) for each in site.web.applications),
    )


# Values


def _values(site: Site, found: SignInExplanation, verified: VerifiedPerson | None) -> Iterator[ShownValue]:
    person = found.person
    server = _server_of(site, person)
    if person is None or server is None:
        return
    came = _came_from(found, person.dn, Service.AUTHENTICATE, Service.RESOLVE_LOGIN)[0]
    for name, value, attribute in (
        ("DN", person.dn, "DN"),
        ("Sametime ID", person.id, server.user_id_attribute or "DN"),
        ("Name", person.name, server.name_attribute if _has(came, person, server.name_attribute) else "DN"),
        ("Mail address", person.mail, server.mail_attribute),
        ("Description", person.description, server.description_attribute),
    ):
        if value:
            yield _value(name, value, attribute or "", came)
    came = _came_from(found, person.dn, Service.RESOLVE_LOGIN)[-1]
    for attribute, values in (verified.attributes if verified else {}).items():
        yield _value(attribute, ", ".join(values) or "(no value)", attribute, came)
    for ident, shown in (found.card.fields if found.card else {}).items():
        text = shown.value if isinstance(shown.value, str) else f"({shown.type}, {len(shown.value)} bytes)"
        source = found.card_sources[ident]
        yield _value(f"Card: {ident}", text, ", ".join(source.attributes), source.search)


def _value(name: str, value: str, attribute: str, came: Searched) -> ShownValue:
    return ShownValue(name, value, attribute, came.service, came.over, came.server, came.filter)


def _has(came: Searched, person: Person, attribute: str) -> bool:
    """Whether the entry came with a value of the attribute."""
    key = attribute_key(attribute)
    return key in map(attribute_key, came.attributes[came.entries.index(person.dn)])


def _came_from(found: SignInExplanation, dn: str, *services: Service) -> list[Searched]:
    """The searches that found the entry, those of the first service that has some: one has."""
    searches = [step for step in found.told if isinstance(step, Searched) and dn in step.entries]
    by_service = ([step for step in searches if step.service is service] for service in services)
    return next(filter(None, by_service))


def _server_of(site: Site, person: Person | None) -> ServerSettings | None:
    label = person and person.server
    return next((each for each in site.settings().servers if each.label == label), None)


# Groups


def _groups(
    site: Site, found: SignInExplanation, verified: VerifiedPerson | None, untried: str
) -> Iterator[GroupVerdict]:
    believed = {identity(each.dn) for each in (verified and verified.groups) or ()}
    shown = sorted(found.groups, key=lambda each: (each.level, each.group.name.casefold()))
    known = {identity(each.group.dn) for each in shown}
    if verified:
        more = (each for each in verified.groups or () if identity(each.dn) not in known)
        shown += (GroupLevel(each, 0) for each in more)
    for each in shown:
        counts = identity(each.group.dn) in believed
        yield GroupVerdict(
            each.group,
            each.level or None,
            None if untried else counts,
            untried or _why(site, found, verified, counts=counts),
            tuple(_uses(site.web, each.group)),
        )


def _why(site: Site, found: SignInExplanation, verified: VerifiedPerson | None, *, counts: bool) -> str:
    if not site.web.grants:
        return "nothing is granted by groups in these settings"
    if verified is None or verified.groups is None:
        return "groups came over an unencrypted connection only, so they count for nothing"
    if not counts:
        return "it was not seen over the encrypted connection of the sign-in, so it counts for nothing"
    server = _server_of(site, found.person)
    protection = protection_of(server, site.settings().directory) if server else None
    if protection and protection.encrypts(Service.GROUP_CONTENT):
        return "it was read over an encrypted connection"
    if protection and protection.encrypts(Service.AUTHENTICATE):
        return "the user saw it over the encrypted connection of the sign-in, and the lookup saw it as well"
    return "it came over an unencrypted connection, which QUINTET_ALLOW_UNENCRYPTED_GROUPS=1 believes"


def _uses(web: WebSettings, group: Group) -> Iterator[str]:
    dn = parsed(group.dn)
    if web.admin_group and group_name(web.admin_group).is_group(group.name, dn):
        yield "administrators"
    for each in web.applications:
        if any(name.is_group(group.name, dn) for name in each.required):
            yield f"required by {each.name}"
        if any(name.is_group(group.name, dn) for name in each.sent):
            yield f"sent to {each.name}"


# Applications


def _application(
    application: ApplicationSettings, verified: VerifiedPerson | None, untried: str
) -> ApplicationVerdict:
    if verified is None:
        return ApplicationVerdict(application.name, None, untried)
    try:
        headers = remote_headers(application, verified)
    except AccessRefusedError as error:
        return ApplicationVerdict(application.name, 403, error.reason)
    if headers is None:
        return ApplicationVerdict(application.name, 401, "the settings were changed meanwhile")
    shown = tuple((name.decode().title(), value.decode()) for name, value in headers)
    return ApplicationVerdict(application.name, 200, "the person may use the application", shown)
