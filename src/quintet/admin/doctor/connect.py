"""Whether hosts have an address, and ports answer: before anything is sent."""

import asyncio
import errno
from collections.abc import Mapping
from contextlib import suppress

from quintet.admin.doctor.checks import Checks
from quintet.diagnostics import Pitfall, Place
from quintet.ldap import Address
from quintet.ldap.address import look_up

PATIENCE = 5.0
"""Seconds for a look-up of a name, and for a connection."""


async def reach(addresses: Mapping[Address, Place], checks: Checks) -> frozenset[Address]:
    """Those of the addresses that accept connections; D16 and D17 for the others.

    An address comes with the place of the server that it belongs to.
    """
    hosts = {each.host: place for each, place in addresses.items()}
    found = await asyncio.gather(*(_resolve(host, place, checks) for host, place in hosts.items()))
    numbers = dict(zip(hosts, found, strict=True))
    answered = await asyncio.gather(
        *(_answers(each, numbers[each.host], place, checks) for each, place in addresses.items())
    )
    return frozenset(each for each, yes in zip(addresses, answered, strict=True) if yes)


async def _resolve(host: str, place: Place, checks: Checks) -> tuple[str, ...]:
    """The IP addresses of a host; none when it has none, which is reported."""
    try:
        async with asyncio.timeout(PATIENCE):
            found = await look_up(host, None)
    except (OSError, ValueError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or f"no answer within {PATIENCE:g} s"
        checks.add(Pitfall.D16, place, f"{host} does not resolve here: {why}")
        return ()
    return tuple(dict.fromkeys(str(info[4][0]) for info in found))


async def _answers(address: Address, numbers: tuple[str, ...], place: Place, checks: Checks) -> bool:
    """Whether one of the host's IP addresses accepts connections at the port."""
    failures: list[OSError] = []
    try:
        async with asyncio.timeout(PATIENCE):
            for number in numbers:
                try:
                    _, writer = await asyncio.open_connection(number, address.port)
                except OSError as error:
                    failures.append(error)
                    continue
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
                return True
    except TimeoutError:
        message = f"{address} does not answer within {PATIENCE:g} s, as behind a firewall"
        checks.add(Pitfall.D17, place, message)
        return False
    if any(each.errno == errno.ECONNREFUSED for each in failures):
        message = (
            f"{address} refuses connections: the machine is reachable, and nothing listens on port"
            f" {address.port}"
        )
        checks.add(Pitfall.D17, place, message, "start the LDAP server, or correct Port, SSLPort or SslPort")
    elif failures:
        checks.add(Pitfall.D17, place, f"{address} cannot be reached: {failures[0].strerror or failures[0]}")
    return False
