"""Whether hosts have an address, and ports answer: before anything is said."""

import asyncio
import errno
import socket
from collections.abc import Iterable
from contextlib import suppress

from quintet.admin.doctor.report import Report
from quintet.ldap.limits import Address

PATIENCE = 5.0
"""Seconds for a look-up of a name, and for a connection."""

_REFUSED = f"[Errno {errno.ECONNREFUSED}]"


async def reach(addresses: Iterable[Address], report: Report) -> frozenset[Address]:
    """Those of the addresses that accept connections; D16 and D17 for the others."""
    addresses = tuple(addresses)
    hosts = tuple({each.host for each in addresses})
    resolved = await asyncio.gather(*(_resolves(host, report) for host in hosts))
    known = {host for host, yes in zip(hosts, resolved, strict=True) if yes}
    named = tuple(each for each in addresses if each.host in known)
    answered = await asyncio.gather(*(_answers(each, report) for each in named))
    return frozenset(each for each, yes in zip(named, answered, strict=True) if yes)


async def _resolves(host: str, report: Report) -> bool:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PATIENCE):
            await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or f"no answer within {PATIENCE:g} s"
        report.add("D16", f"{host} does not resolve here: {why}")
        return False
    return True


async def _answers(address: Address, report: Report) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(address.host, address.port)
    except TimeoutError:
        report.add("D17", f"{address} is silent: no answer within {PATIENCE:g} s, which a firewall does")
        return False
    except OSError as error:
        if _REFUSED in str(error):  # of several addresses, asyncio gives the errors as one text
            report.add(
                "D17",
                f"{address} refuses connections: the machine is there, and nothing listens on port"
                f" {address.port}",
                "start the LDAP server, or correct Port, SSLPort or SslPort",
            )
        else:
            report.add("D17", f"{address} cannot be reached: {error.strerror or error}")
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
