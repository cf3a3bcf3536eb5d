"""Whether the accounts are accepted. Each is tried once, so that none is locked out."""

import base64
import binascii
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from quintet.admin.doctor.checks import Checks
from quintet.admin.doctor.sites import DirectorySite
from quintet.config import Account, Settings
from quintet.diagnostics import Finding, Pitfall, Severity
from quintet.directory import (
    BoundConnection,
    Connector,
    DirectoryError,
    Endpoint,
    Protection,
    SslContextCache,
    UnencryptedBindError,
    identity,
    parsed,
    protection_of,
)
from quintet.ldap import (
    ConfidentialityRequired,
    InsufficientAccessRights,
    InvalidCredentials,
    NoSuchObject,
    Present,
    ResultError,
    Scope,
    StrongerAuthRequired,
    UnwillingToPerform,
)

_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")


@dataclass(frozen=True, slots=True)
class AccountBind:
    """What became of a site's account: a connection that is bound, or the refusal."""

    site: DirectorySite
    ready: BoundConnection | None = None
    refusal: ResultError | None = None


async def examine(
    sites: Sequence[tuple[DirectorySite, Endpoint]], settings: Settings, checks: Checks
) -> tuple[AccountBind, ...]:
    """One bound connection for each site that accepts its account. The caller closes them."""
    opening = Connector(SslContextCache())
    outcomes: list[AccountBind] = []

    async def one(site: DirectorySite, endpoint: Endpoint) -> None:
        refused = _refused_before(site, endpoint, outcomes)
        outcomes.append(refused or await _try(site, endpoint, opening, checks))

    for site, endpoint in sites:
        await checks.run(f"the account of {site.name}", partial(one, site, endpoint))

    def judge() -> None:
        for outcome in outcomes:
            if outcome.refusal is not None:
                _report(outcome, outcome.refusal, outcomes, checks)
        for site, _ in sites:
            _check_unencrypted(site, settings, outcomes, checks)

    checks.run_now("the refusals of accounts", judge)
    for outcome in outcomes:
        if _needs_own_entry(outcome, settings):
            name = f"whether {outcome.site.name} lets users read their own entries"
            await checks.run(name, partial(_check_own_entry, outcome, checks))
    return tuple(outcomes)


def _refused_before(
    site: DirectorySite, endpoint: Endpoint, outcomes: Sequence[AccountBind]
) -> AccountBind | None:
    """The refusal of the same account with the same password by the same host."""
    for before in outcomes:
        hosts = {each.address.host for each in before.site.endpoints}
        same = endpoint.address.host in hosts and before.site.account == site.account
        if same and site.account is not None and before.refusal is not None:
            return AccountBind(site, refusal=before.refusal)
    return None


async def _try(site: DirectorySite, endpoint: Endpoint, opening: Connector, checks: Checks) -> AccountBind:
    try:
        return AccountBind(site, await opening.open(endpoint))
    except UnencryptedBindError as error:
        message = f"{site.name}: {error.message}"
        checks.add(Pitfall.D36, site.place, message, error.fix, severity=Severity.ERROR)
    except DirectoryError as error:
        if isinstance(error.__cause__, ResultError):
            return AccountBind(site, refusal=error.__cause__)
        checks.add(Finding.Q91, site.place, f"{site.name}: {error}")
    return AccountBind(site)


def _report(
    outcome: AccountBind, refusal: ResultError, outcomes: Sequence[AccountBind], checks: Checks
) -> None:
    site, account = outcome.site, outcome.site.account
    if account is None:
        message = f"{site.name} rejects anonymous binds: {refusal.message}"
        checks.add(Finding.Q31, site.place, message, f"set {site.account_keys} to an account that may read")
    elif site.card is not None and checks.has(Pitfall.D10):
        return
    elif isinstance(refusal, StrongerAuthRequired | ConfidentialityRequired):
        checks.add(Finding.Q16, site.place, f"{site.name}: {refusal.message}")
    elif (
        isinstance(refusal, InvalidCredentials)
        and site.card is None
        and _is_base64(account.password.reveal())
    ):
        message = f"{account.name} is rejected, and BindEntryPwd decodes as base64 to readable text"
        fix = "write the password itself in BindEntryPwd, as base64 -d shows it"
        checks.add(Pitfall.D11, site.place, message, fix, key="BindEntryPwd")
    elif (other := _same_account_elsewhere(account, outcomes)) is not None:
        message = (
            f"{account.name} binds with the password of {other.site.place}, and not with that of {site.place}"
        )
        fix = (
            f"write the password of {other.site.place} at {site.place} as well; in containers in the secret"
            " or"
            " the environment, and in the override secret extra-community-config, too"
        )
        checks.add(Pitfall.D12, site.place, message, fix)
    else:
        sites = [each.site for each in outcomes if each.refusal is refusal]
        names = " and ".join(each.name for each in sites)
        message = f"{account.name} is rejected by {names}: {refusal.message}"
        checks.add(Pitfall.D9, site.place, message, _fix(sites, refusal))


def _fix(sites: Sequence[DirectorySite], refusal: ResultError) -> str:
    where = ", and ".join(f"{each.account_keys} at {each.place}" for each in sites)
    if isinstance(refusal, InvalidCredentials):
        return (
            f"correct {where}. An old password that returns was restored by helm upgrade: change the secret's"
            " template, too"
        )
    if isinstance(refusal, NoSuchObject):
        return f"correct {where}: the directory has no such entry"
    if isinstance(refusal, UnwillingToPerform):
        return f"ask the directory's administrator why this account may not bind ({where})"
    return f"check {where}"


def _same_account_elsewhere(account: Account, outcomes: Sequence[AccountBind]) -> AccountBind | None:
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


def _check_unencrypted(
    site: DirectorySite, settings: Settings, outcomes: Sequence[AccountBind], checks: Checks
) -> None:
    """D36 under "only passwords", Q14 where nothing is encrypted at all."""
    if site.server is None:
        return
    level = protection_of(site.server, settings.directory)
    account = site.account
    if level is Protection.NONE:
        whose = f", that of {account.name} included" if account else ""
        cards = _has_unencrypted_cards(settings)
        message = f"{site.name}: names and passwords{whose} are sent unencrypted"
        checks.add(Finding.Q14, site.place, message, f"quintet protect all{' --cards' if cards else ''}")
    elif level is Protection.PASSWORDS and account and not settings.directory.allow_clear_service_bind:
        way = next((o.ready.method.value for o in outcomes if o.site is site and o.ready), None)
        if way is None:
            return
        # More exact than what the settings alone show.
        if account.place is not None:
            checks.discard(Pitfall.D36, account.place)
        message = (
            f"{site.name}: {account.name} is set for four unencrypted connections; Quintet does not send its"
            f" password (it binds by {way}), Sametime does"
        )
        checks.add(Pitfall.D36, account.place or site.place, message, key=account.key)


def _needs_own_entry(outcome: AccountBind, settings: Settings) -> bool:
    server = outcome.site.server
    return server is not None and protection_of(server, settings.directory) is Protection.PASSWORDS


async def _check_own_entry(outcome: AccountBind, checks: Checks) -> None:
    """Q120: only the account's entry can be tried, but access rules rarely tell it from others there."""
    site, ready, account = outcome.site, outcome.ready, outcome.site.account
    if ready is None or account is None or not parsed(account.name):
        return
    found = False
    with suppress(NoSuchObject, InsufficientAccessRights):
        search = ready.connection.search(account.name, Scope.BASE, Present("objectClass"), ("1.1",))
        found = bool((await search).entries)
    if not found:
        message = f"{site.name}: {account.name} may not read its own entry"
        checks.add(Finding.Q120, site.place, message)


def _has_unencrypted_cards(settings: Settings) -> bool:
    storages = settings.cards.storages if settings.cards else ()
    return any(not server.ssl_enabled for storage in storages for server in storage.servers)
