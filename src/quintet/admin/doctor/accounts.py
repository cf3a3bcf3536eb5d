"""Whether the accounts are accepted. Each is tried once, so that none is locked out."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from quintet.admin.doctor.report import Report
from quintet.admin.doctor.sites import Site
from quintet.config.settings import Settings
from quintet.diagnostics import Severity
from quintet.directory import (
    BoundConnection,
    Connector,
    DirectoryError,
    Endpoint,
    Protection,
    SslContextCache,
    UnencryptedBindError,
    identity,
    protection_of,
)
from quintet.ldap.errors import (
    ConfidentialityRequired,
    InvalidCredentials,
    NoSuchObject,
    ResultError,
    StrongerAuthRequired,
    UnwillingToPerform,
)

_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a site's account was taken: a connection that is bound, or the refusal."""

    site: Site
    ready: BoundConnection | None = None
    refusal: ResultError | None = None


async def examine(
    sites: Sequence[tuple[Site, Endpoint]], settings: Settings, report: Report
) -> tuple[Outcome, ...]:
    """One bound connection for each site that takes its account. The caller closes them."""
    opening = Connector(SslContextCache())
    outcomes: list[Outcome] = []

    async def one(site: Site, endpoint: Endpoint) -> None:
        refused = _refused_before(site, endpoint, outcomes)
        outcomes.append(refused or await _try(site, endpoint, opening, report))

    for site, endpoint in sites:
        await report.check(f"the account of {site.name}", partial(one, site, endpoint))
    for outcome in outcomes:
        if outcome.refusal is not None:
            _tell(outcome, outcome.refusal, outcomes, report)
    for site, _ in sites:
        _check_clear(site, settings, outcomes, report)
    return tuple(outcomes)


def _refused_before(site: Site, endpoint: Endpoint, outcomes: Sequence[Outcome]) -> Outcome | None:
    """The refusal of the same account with the same password by the same host."""
    for before in outcomes:
        hosts = {each.address.host for each in before.site.endpoints}
        same = endpoint.address.host in hosts and before.site.account == site.account
        if same and site.account is not None and before.refusal is not None:
            return Outcome(site, refusal=before.refusal)
    return None


async def _try(site: Site, endpoint: Endpoint, opening: Connector, report: Report) -> Outcome:
    try:
        return Outcome(site, await opening.open(endpoint))
    except UnencryptedBindError as error:
        report.add("D36", f"{site.name}: {error.message}", error.fix, severity=Severity.ERROR)
    except DirectoryError as error:
        if isinstance(error.__cause__, ResultError):
            return Outcome(site, refusal=error.__cause__)
        report.add("Q91", f"{site.name}: {error}")
    return Outcome(site)


def _tell(outcome: Outcome, refusal: ResultError, outcomes: Sequence[Outcome], report: Report) -> None:
    site, account = outcome.site, outcome.site.account
    if account is None:
        report.add(
            "Q29", f"{site.name} refuses anonymous connections: {refusal.message}", severity=Severity.ERROR
        )
        return
    if site.card is not None and report.has("D10"):
        return
    if isinstance(refusal, StrongerAuthRequired | ConfidentialityRequired):
        report.add("Q16", f"{site.name}: {refusal.message}")
        return
    password = account.password.reveal()
    if isinstance(refusal, InvalidCredentials) and site.card is None and _is_base64(password):
        report.add(
            "D11",
            f"{site.place}: {account.name} is refused, and BindEntryPassword decodes as base64 to"
            " readable text",
            f"in {site.place}: BindEntryPassword in clear text, as base64 -d shows it",
        )
        return
    other = _same_account_elsewhere(outcome, outcomes)
    if other is not None:
        report.add(
            "D12",
            f"{account.name} binds with the password of {other.site.place}, and not with that of"
            f" {site.place}",
            f"write the password of {other.site.place.file} at {site.place} as well; in containers in"
            " the secret"
            " or the environment, and in the override secret extra-community-config, too",
        )
        return
    sites = [each.site for each in outcomes if each.refusal is refusal]
    names = " and ".join(each.name for each in sites)
    report.add("D9", f"{account.name} is refused by {names}: {refusal.message}", _cure(sites, refusal))


def _cure(sites: Sequence[Site], refusal: ResultError) -> str:
    where = ", and ".join(f"{each.account_keys} at {each.place}" for each in sites)
    if isinstance(refusal, InvalidCredentials):
        return (
            f"correct {where}. An old password that comes back was restored by helm upgrade: change the"
            " secret's template, too"
        )
    if isinstance(refusal, NoSuchObject):
        return f"correct {where}: the directory has no such entry"
    if isinstance(refusal, UnwillingToPerform):
        return f"ask the directory's administrator why this account may not bind ({where})"
    return f"check {where}"


def _same_account_elsewhere(outcome: Outcome, outcomes: Sequence[Outcome]) -> Outcome | None:
    account = outcome.site.account
    assert account is not None
    for other in outcomes:
        theirs = other.site.account
        if (
            theirs is not None
            and other.ready is not None
            and other.ready.bound_as is not None
            and identity(theirs.name) == identity(account.name)
            and theirs.password != account.password
        ):
            return other
    return None


def _is_base64(password: str) -> bool:
    if not _BASE64.fullmatch(password) or len(password) % 4:
        return False
    try:
        return base64.b64decode(password, validate=True).decode().strip().isprintable()
    except (binascii.Error, UnicodeDecodeError):
        return False


def _check_clear(site: Site, settings: Settings, outcomes: Sequence[Outcome], report: Report) -> None:
    """D36 under "only passwords", Q14 where nothing is encrypted at all."""
    if site.server is None:
        return
    level = protection_of(site.server, settings.directory)
    account = site.account
    if level is Protection.NONE:
        whose = f", that of {account.name} included" if account else ""
        cards = " and in UserInfoConfig.xml" if _clear_cards(settings) else ""
        report.add(
            "Q14",
            f"{site.name}: names and passwords cross in clear{whose}",
            f"quintet protect all{' --cards' if cards else ''} (SSLEnabled at {site.place}{cards})",
        )
    elif level is Protection.PASSWORDS and account and not settings.directory.allow_clear_service_bind:
        way = next((o.ready.method.value for o in outcomes if o.site is site and o.ready), None)
        does = f"; Quintet hides its password (binds by {way}), Sametime does not" if way else ""
        report.add("D36", f"{site.name}: {account.name} is set for four clear connections{does}")


def _clear_cards(settings: Settings) -> bool:
    storages = settings.cards.storages if settings.cards else ()
    return any(not server.ssl_enabled for storage in storages for server in storage.servers)
