"""A handshake as Sametime itself makes it, with fewer suites than Quintet has."""

import ssl
from collections.abc import Iterable

from quintet.admin.doctor.checks import Checks
from quintet.admin.doctor.handshakes import PATIENCE, Way, way_of
from quintet.admin.doctor.sites import DirectorySite
from quintet.diagnostics import Pitfall, Place, Severity
from quintet.directory import Mode
from quintet.ldap import Address, LdapError, connect
from quintet.tls import TlsSettings, inspection_context, suite_by_openssl_name

_SAMETIME = "AES256-GCM-SHA384:AES128-SHA:@SECLEVEL=0"
"""What Sametime 12 offers to LDAP servers (config 2.6)."""


async def try_as_sametime(sites: Iterable[DirectorySite], good: frozenset[Way], checks: Checks) -> None:
    """D2 and D3 for Sametime itself, which offers two suites of TLS 1.2 unless the settings name others."""
    ways = {way_of(each): (site.place, each) for site in sites for each in site.endpoints}
    for way, (place, each) in ways.items():
        if way not in good or each.mode is Mode.UNENCRYPTED or each.tls.suites:
            continue
        start_tls = each.mode is Mode.STARTTLS
        if await _handshake(each.address, _SAMETIME, start_tls=start_tls) is not None:
            continue
        chosen = await _handshake(each.address, "ALL:@SECLEVEL=0", start_tls=start_tls)
        _report(place, each.address, chosen, checks)


def _report(place: Place, address: Address, chosen: str | None, checks: Checks) -> None:
    if chosen is None:
        checks.add(
            Pitfall.D3,
            place,
            f"{address} does not speak TLS 1.2, the newest version that Sametime has",
            f"enable TLS 1.2 at {address}",
            severity=Severity.WARNING,
        )
        return
    suite = suite_by_openssl_name(chosen)
    name = suite.name if suite else chosen
    checks.add(
        Pitfall.D2,
        place,
        f"{address} accepts neither TLS_RSA_WITH_AES_256_GCM_SHA384 nor TLS_RSA_WITH_AES_128_CBC_SHA, which"
        " are"
        f" all that Sametime offers; with TLS 1.2 it chooses {name}",
        f"set STLDAP_TLS_CIPHER_SUITES={name} in [Config] of sametime.ini",
        severity=Severity.WARNING,
    )


async def _handshake(address: Address, suites: str, *, start_tls: bool) -> str | None:
    """The suite that a handshake with TLS 1.2 comes to; None when it fails. Nothing is checked or sent."""
    context = inspection_context(TlsSettings())
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.set_ciphers(suites)
        connection = await connect(address, tls=context, start_tls=start_tls, timeout=PATIENCE)
    except (LdapError, ssl.SSLError, OSError, ValueError):
        return None
    async with connection:
        return connection.cipher
