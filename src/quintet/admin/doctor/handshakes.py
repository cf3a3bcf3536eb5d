"""Whether each address speaks what the settings say it speaks, and shows a certificate that holds."""

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography import x509

from quintet.admin.doctor.connect import reach
from quintet.admin.doctor.report import Report
from quintet.admin.doctor.stores import check_dates, opened
from quintet.admin.service_kind import Speaks, probe
from quintet.diagnostics import Severity
from quintet.directory import ANY_ENTRY, Endpoint, Mode, Service
from quintet.ldap.connection import Connection, connect
from quintet.ldap.errors import ConfidentialityRequired, ConnectionLostError, LdapError, ResultError, TlsError
from quintet.ldap.limits import Address
from quintet.ldap.messages import BASE_OBJECT
from quintet.tls.certificates import facts_of
from quintet.tls.context import TlsSettingsError, inspection_context, make_context
from quintet.tls.diagnosis.explain import Reason, Seen, explain, peer_chain
from quintet.tls.levels import weakness
from quintet.tls.settings import TlsSettings
from quintet.tls.stores import StoreError

PATIENCE = 5.0
"""Seconds for a handshake, and for an answer."""

_STEPS = 6
"""So many may have to be waited for, until it is known what is wrong at an address."""

_CODES = {
    Reason.UNKNOWN_ISSUER: "Q10",
    Reason.SELF_SIGNED: "Q10",
    Reason.MISSING_INTERMEDIATE: "Q10",
    Reason.EXPIRED: "D40",
    Reason.NOT_YET_VALID: "D40",
    Reason.WRONG_NAME: "Q11",
    Reason.NAME_ONLY_IN_CN: "Q11",
    Reason.TOO_WEAK: "D38",
    Reason.NO_COMMON_VERSION: "D3",
    Reason.NO_COMMON_SUITE: "D2",
    Reason.NOT_TLS: "D8",
    Reason.CLOSED: "D8",
    Reason.SILENT: "D8",
    Reason.CLIENT_CERTIFICATE_WANTED: "Q12",
    Reason.CLIENT_CERTIFICATE_REFUSED: "Q12",
    Reason.OTHER: "Q13",
}

Way = tuple[Address, Mode, TlsSettings]


def way_of(endpoint: Endpoint) -> Way:
    """What decides whether an address can be used; several tasks share it."""
    return endpoint.address, endpoint.mode, endpoint.tls


async def examine(endpoints: Iterable[Endpoint], report: Report) -> frozenset[Way]:
    """Every address once, for the first that uses it; those that can be used."""
    ways: dict[Way, Endpoint] = {}
    for each in endpoints:
        ways.setdefault(way_of(each), each)
    reached = await reach({each.address for each in ways.values()}, report)
    good: set[Way] = set()

    async def one(way: Way, endpoint: Endpoint) -> None:
        async def work() -> None:
            if await _speaks(endpoint, report):
                good.add(way)

        await report.check(f"the connection to {endpoint.address}", work, seconds=_STEPS * PATIENCE)

    await asyncio.gather(*(one(way, each) for way, each in ways.items() if each.address in reached))
    return frozenset(good)


async def _speaks(endpoint: Endpoint, report: Report) -> bool:
    if endpoint.mode is Mode.UNENCRYPTED:
        return await _speaks_clear(endpoint.address, report)
    try:
        context = make_context(endpoint.tls)
    except (StoreError, TlsSettingsError, ssl.SSLError, OSError, ValueError) as error:
        if isinstance(error, TlsSettingsError) and endpoint.tls.level:
            report.add("D38", f"TLS to {endpoint.address} cannot be set up: {error}")
        elif not report.has("D4", "D5", "D7", "D35", "Q1"):
            report.add("Q13", f"TLS to {endpoint.address} cannot be set up: {error}")
        report.skip(f"TLS to {endpoint.address}", "it cannot be set up")
        return False
    start_tls = endpoint.mode is Mode.STARTTLS
    try:
        connection = await connect(endpoint.address, tls=context, start_tls=start_tls, timeout=PATIENCE)
    except TlsError as error:
        if isinstance(error.__cause__, ResultError):
            report.add("Q15", f"{endpoint.address}: {error.__cause__.message}")
        else:
            await _explain(endpoint, error, report)
        return False
    async with connection:
        fix = (
            f"renew it on {endpoint.address}; if its issuer is new as well: quintet trust fetch"
            f" {endpoint.address}"
        )
        for certificate in peer_chain(connection.ssl_object):
            check_dates(certificate, f"shown by {endpoint.address}", fix, report)
        return await _knows_ldap(connection, endpoint, report)


async def _speaks_clear(address: Address, report: Report) -> bool:
    connection = await connect(address, timeout=PATIENCE)
    async with connection:
        try:
            await connection.search("", BASE_OBJECT, ANY_ENTRY, ("1.1",), timeout=PATIENCE)
        except ConfidentialityRequired as error:
            report.add("Q16", f"{address}: {error.message}")
            return False
        except ResultError:
            return True
        except LdapError:
            pass
        else:
            return True
    if (await _inspect(address, TlsSettings(), start_tls=False)).chain:
        report.add(
            "D8",
            f"{address} is set as a clear port, and a TLS server answers there",
            f"set Port to the clear port, usually 389; or use {address.port} as SSLPort with SSLEnabled=1",
        )
        return False
    await _add_mixed_up(address, "does not answer LDAP in clear", report)
    return False


async def _knows_ldap(connection: Connection, endpoint: Endpoint, report: Report) -> bool:
    """Whether LDAP is behind TLS. With TLS 1.3 a server refuses our certificate only after the handshake."""
    address, ours = endpoint.address, endpoint.tls.key_store
    try:
        await connection.search("", BASE_OBJECT, ANY_ENTRY, ("1.1",), timeout=PATIENCE)
    except ResultError:
        return True
    except ConnectionLostError:
        shown = f"it was shown that of {ours.path}" if ours else "and we have none"
        report.add(
            "Q12",
            f"{address} closes each connection right after the TLS handshake, as servers do that demand a"
            f" certificate of the client; {shown}",
        )
        return False
    except LdapError:
        report.add(
            "D8", f"{address} speaks TLS, but not LDAP in it", "correct SSLPort: another service is there"
        )
        return False
    return True


async def _add_mixed_up(address: Address, what: str, report: Report) -> None:
    answer = await probe(address.host, address.port, patience=PATIENCE / 2)
    sample = f' ("{answer.sample}")' if answer.sample else ""
    report.add("D8", f"{address} {what}; {answer.speaks.value} there{sample}")


@dataclass(frozen=True, slots=True)
class _Inspected:
    """What a server shows to someone who checks nothing."""

    chain: tuple[x509.Certificate, ...] = ()
    seen: Seen = field(default_factory=Seen)


async def _inspect(address: Address, profile: TlsSettings, *, start_tls: bool) -> _Inspected:
    """A handshake up to the newest version that the settings allow; if that fails, up to any."""
    for capped in (True, False):
        context = inspection_context(profile)
        with suppress(ValueError):
            if capped:
                context.maximum_version = profile.maximum
        try:
            connection = await connect(address, tls=context, start_tls=start_tls, timeout=PATIENCE)
        except (LdapError, ssl.SSLError, OSError, ValueError) as error:
            if isinstance(error.__cause__, TimeoutError):
                break
            continue
        async with connection:
            chain = peer_chain(connection.ssl_object)
            return _Inspected(chain, Seen(connection.tls_version, connection.cipher))
    return _Inspected()


async def _explain(endpoint: Endpoint, error: TlsError, report: Report) -> None:
    address, profile = endpoint.address, endpoint.tls
    found = await _inspect(address, profile, start_tls=endpoint.mode is Mode.STARTTLS)
    told = explain(
        error,
        host=address.host,
        port=address.port,
        chain=found.chain,
        trust=opened(profile.trust_store) if profile.trust_store else None,
        profile=profile,
        seen=found.seen,
    )
    code, seen, fix = _CODES[told.reason], told.sentence, told.fix
    weak = [each for each in found.chain if _weak(each, profile)]
    if code == "D38" or (weak and code in ("D2", "D8", "Q13")):
        code = "D38"
        level = f"TLS_SECURITY_LEVEL is {profile.level:d}"
        seen = (
            f"{seen}. {level}, and the chain is: {'; '.join(_verdict(each, profile) for each in found.chain)}"
        )
        fix = f"replace the certificate of {address}, or lower STLDAP_TLS_SECURITY_LEVEL"
    if code == "D8":
        await _add_not_tls(address, report)
        return
    if code == "Q10" and endpoint.service is Service.BUSINESS_CARD and report.has("D7"):
        report.skip(f"TLS to {address} for business cards", "their trust store lacks certificates")
        return
    report.add(code, seen, fix, severity=Severity.ERROR)


def _weak(certificate: x509.Certificate, profile: TlsSettings) -> bool:
    anchor = certificate.subject == certificate.issuer
    return bool(profile.level) and weakness(certificate, profile.level, anchor=anchor) is not None


async def _add_not_tls(address: Address, report: Report) -> None:
    answer = await probe(address.host, address.port, patience=PATIENCE / 2)
    if answer.speaks is not Speaks.LDAP:
        await _add_mixed_up(address, "is set as a TLS port, and no TLS server answers", report)
        return
    report.add(
        "D8",
        f"{address} is set as a TLS port, and an LDAP server answers in clear there",
        f"set SSLPort to the server's TLS port, usually 636; {address.port} is its Port. If the server offers"
        " StartTLS, QUINTET_START_TLS=1 uses it",
    )


def _verdict(certificate: x509.Certificate, profile: TlsSettings) -> str:
    facts = facts_of(certificate)
    why = facts.verdicts.get(profile.level)
    return f"{facts.subject}, {facts.key}, {facts.hash}, until {facts.not_after:%Y-%m-%d}: {why or 'good'}"
