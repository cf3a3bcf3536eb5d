"""Whether each address speaks the protocol that the settings expect, and presents a trusted certificate."""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509

from quintet.admin.doctor.checks import Checks
from quintet.admin.doctor.connect import reach
from quintet.admin.doctor.sites import DirectorySite
from quintet.admin.doctor.stores import check_dates, opened
from quintet.admin.service_kind import Speaks, probe
from quintet.config import PLAIN_PORT, TLS_PORT
from quintet.diagnostics import Code, Finding, Pitfall, Place, Severity
from quintet.directory import ANY_ENTRY, Endpoint, Mode, Service
from quintet.ldap import (
    Address,
    ConfidentialityRequired,
    Connection,
    ConnectionLostError,
    LdapError,
    ResultError,
    Scope,
    TlsError,
    connect,
)
from quintet.tls import (
    Presented,
    Reason,
    StoreError,
    TlsSettings,
    TlsSettingsError,
    check_strength,
    explain,
    facts_of,
    inspect,
    make_context,
    presented_by,
)

PATIENCE = 5.0
"""Seconds for a handshake, and for an answer."""

_STEPS = 6
"""So many may have to be waited for, until it is known what is wrong at an address."""

_CODES: dict[Reason, Code] = {
    Reason.UNKNOWN_ISSUER: Finding.Q10,
    Reason.SELF_SIGNED: Finding.Q10,
    Reason.MISSING_INTERMEDIATE: Finding.Q10,
    Reason.EXPIRED: Pitfall.D40,
    Reason.NOT_YET_VALID: Pitfall.D40,
    Reason.WRONG_NAME: Finding.Q11,
    Reason.NAME_ONLY_IN_CN: Finding.Q11,
    Reason.ADDRESS_AS_DNS_NAME: Finding.Q11,
    Reason.HOST_NOT_LISTED: Pitfall.D44,
    Reason.TOO_WEAK: Pitfall.D38,
    Reason.NOT_A_CA: Finding.Q13,
    Reason.WRONG_PURPOSE: Finding.Q13,
    Reason.CONSTRAINED: Finding.Q13,
    Reason.MALFORMED: Finding.Q13,
    Reason.REVOKED: Finding.Q13,
    Reason.NO_CRL: Finding.Q13,
    Reason.CRL_OUT_OF_DATE: Finding.Q13,
    Reason.NO_COMMON_VERSION: Pitfall.D3,
    Reason.NO_COMMON_SUITE: Pitfall.D2,
    Reason.NOT_TLS: Pitfall.D8,
    Reason.CLOSED: Pitfall.D8,
    Reason.SILENT: Pitfall.D8,
    Reason.CLIENT_CERTIFICATE_WANTED: Finding.Q12,
    Reason.CLIENT_CERTIFICATE_REFUSED: Finding.Q12,
    Reason.OTHER: Finding.Q13,
}
_EXPLAINED = (
    Pitfall.D4,
    Pitfall.D5,
    Pitfall.D7,
    Pitfall.D35,
    Finding.Q61,
    Finding.Q84,
    Finding.Q86,
    Finding.Q87,
    Finding.Q88,
)
"""Problems of the settings, any of which explains why TLS cannot be set up."""

Way = tuple[Address, Mode, TlsSettings]


def way_of(endpoint: Endpoint) -> Way:
    """What decides whether an address can be used; several tasks share it."""
    return endpoint.address, endpoint.mode, endpoint.tls


@dataclass(frozen=True, slots=True)
class _Target:
    """An endpoint of the server at `place`, and where problems go."""

    endpoint: Endpoint
    place: Place
    checks: Checks

    @property
    def address(self) -> Address:
        return self.endpoint.address

    def add(self, code: Code, message: str, fix: str | None = None) -> None:
        self.checks.add(code, self.place, message, fix, severity=Severity.ERROR)


async def examine(sites: Iterable[DirectorySite], checks: Checks) -> frozenset[Way]:
    """Every address once, for the first that uses it; those that can be used."""
    targets: dict[Way, _Target] = {}
    for site in sites:
        for each in site.endpoints:
            targets.setdefault(way_of(each), _Target(each, site.place, checks))
    reached = await reach({each.address: each.place for each in targets.values()}, checks)
    good: set[Way] = set()

    async def one(way: Way, target: _Target) -> None:
        async def work() -> None:
            if await _speaks(target):
                good.add(way)

        await checks.run(f"the connection to {target.address}", work, seconds=_STEPS * PATIENCE)

    await asyncio.gather(*(one(way, each) for way, each in targets.items() if each.address in reached))
    return frozenset(good)


async def _speaks(target: _Target) -> bool:
    endpoint, checks = target.endpoint, target.checks
    if endpoint.mode is Mode.UNENCRYPTED:
        return await _speaks_plain(target)
    try:
        context = make_context(endpoint.tls)
    except (StoreError, TlsSettingsError, ssl.SSLError, OSError, ValueError) as error:
        if isinstance(error, TlsSettingsError) and endpoint.tls.level:
            target.add(Pitfall.D38, f"TLS to {endpoint.address} cannot be set up: {error}")
        elif not checks.has(*_EXPLAINED):
            target.add(Finding.Q13, f"TLS to {endpoint.address} cannot be set up: {error}")
        checks.skip(f"TLS to {endpoint.address}", "it cannot be set up")
        return False
    start_tls = endpoint.mode is Mode.STARTTLS
    try:
        connection = await connect(endpoint.address, tls=context, start_tls=start_tls, timeout=PATIENCE)
    except TlsError as error:
        if isinstance(error.__cause__, ResultError):
            target.add(Finding.Q15, f"{endpoint.address}: {error.__cause__.message}")
        else:
            await _explain(target, error)
        return False
    async with connection:
        fix = (
            f"renew it on {endpoint.address}; if its issuer is new as well: quintet trust fetch"
            f" {endpoint.address}"
        )
        for certificate in presented_by(connection.ssl_object).chain:
            check_dates(certificate, f"presented by {endpoint.address}", fix, checks, target.place)
        return await _knows_ldap(connection, target)


async def _speaks_plain(target: _Target) -> bool:
    address = target.address
    connection = await connect(address, timeout=PATIENCE)
    async with connection:
        try:
            await connection.search("", Scope.BASE, ANY_ENTRY, ("1.1",), timeout=PATIENCE)
        except ConfidentialityRequired as error:
            target.add(Finding.Q16, f"{address}: {error.message}")
            return False
        except ResultError:
            return True
        except LdapError:
            pass
        else:
            return True
    if (await _inspect(address, TlsSettings(), start_tls=False)).chain:
        target.add(
            Pitfall.D8,
            f"{address} is configured as the plain LDAP port, and a TLS server answers there",
            f"set Port to the plain LDAP port, usually {PLAIN_PORT}; or use {address.port} as SSLPort with"
            " SSLEnabled=1",
        )
        return False
    await _add_mixed_up(target, "does not answer unencrypted LDAP")
    return False


async def _knows_ldap(connection: Connection, target: _Target) -> bool:
    """Whether LDAP is behind TLS. With TLS 1.3 a server refuses our certificate only after the handshake."""
    address, ours = target.address, target.endpoint.tls.key_store
    try:
        await connection.search("", Scope.BASE, ANY_ENTRY, ("1.1",), timeout=PATIENCE)
    except ResultError:
        return True
    except ConnectionLostError:
        shown = f"it was given that of {ours.path}" if ours else "none is configured"
        target.add(
            Finding.Q12,
            f"{address} closes each connection right after the TLS handshake, as servers do that require a"
            f" client certificate; {shown}",
        )
        return False
    except LdapError:
        message = f"{address} speaks TLS, but not LDAP in it"
        target.add(Pitfall.D8, message, "correct SSLPort: another service answers there")
        return False
    return True


async def _add_mixed_up(target: _Target, what: str) -> None:
    address = target.address
    answer = await probe(address.host, address.port, patience=PATIENCE / 2)
    sample = f' ("{answer.sample}")' if answer.sample else ""
    target.add(Pitfall.D8, f"{address} {what}; {answer.speaks.value} there{sample}")


async def _inspect(address: Address, settings: TlsSettings, *, start_tls: bool) -> Presented:
    """What the server presents in a handshake that verifies nothing; nothing when there is none."""

    async def connected(context: ssl.SSLContext) -> Connection:
        return await connect(address, tls=context, start_tls=start_tls, timeout=PATIENCE)

    try:
        return await inspect(connected, settings)
    except (LdapError, ssl.SSLError, OSError, ValueError):
        return Presented()


async def _explain(target: _Target, error: TlsError) -> None:
    endpoint, checks = target.endpoint, target.checks
    address, profile = endpoint.address, endpoint.tls
    found = await _inspect(address, profile, start_tls=endpoint.mode is Mode.STARTTLS)
    told = explain(
        error,
        host=address.host,
        port=address.port,
        settings=profile,
        trust=opened(profile.trust_store) if profile.trust_store else None,
        presented=found,
    )
    code, message, fix = _CODES[told.reason], told.message, told.fix
    weak = any(_weak(each, profile) for each in found.chain)
    if code is Pitfall.D38 or (weak and code in (Pitfall.D2, Pitfall.D8, Finding.Q13)):
        code = Pitfall.D38
        chain = "; ".join(_verdict(each, profile) for each in found.chain)
        message = f"{message}. TLS_SECURITY_LEVEL is {profile.level:d}, and the chain is: {chain}"
        fix = f"replace the certificate of {address}, or lower STLDAP_TLS_SECURITY_LEVEL"
    if code is Pitfall.D8:
        await _add_not_tls(target)
    elif code is Finding.Q10 and endpoint.service is Service.BUSINESS_CARD and checks.has(Pitfall.D7):
        checks.skip(f"TLS to {address} for business cards", "their trust store lacks certificates")
    else:
        target.add(code, message, fix)


def _weak(certificate: x509.Certificate, profile: TlsSettings) -> bool:
    return bool(profile.level) and check_strength(certificate, profile.level) is not None


async def _add_not_tls(target: _Target) -> None:
    address = target.address
    answer = await probe(address.host, address.port, patience=PATIENCE / 2)
    if answer.speaks is not Speaks.LDAP:
        await _add_mixed_up(target, "is configured as the TLS port, and no TLS server answers")
        return
    target.add(
        Pitfall.D8,
        f"{address} is configured as the TLS port, and a plain LDAP server answers there",
        f"set SSLPort to the server's TLS port, usually {TLS_PORT}; {address.port} is its Port. If the server"
        " offers StartTLS, QUINTET_START_TLS=1 uses it",
    )


def _verdict(certificate: x509.Certificate, profile: TlsSettings) -> str:
    facts = facts_of(certificate)
    why = check_strength(certificate, profile.level)
    return f"{facts.subject}, {facts.key}, {facts.hash}, until {facts.not_after:%Y-%m-%d}: {why or 'good'}"
