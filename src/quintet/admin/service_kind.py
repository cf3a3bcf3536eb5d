"""What answers at an address, when it is not what was expected there: LDAP, TLS, HTTP or nothing."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from quintet.ldap import Address
from quintet.ldap.address import dial

# An anonymous search of the root DSE for no attributes (RFC 4511 4.5.1, RFC 4512 5.1): all servers answer.
_ROOT_DSE = (
    bytes.fromhex("302a020101632504000a01000a0100020100020100010100870b") + b"objectClass0\x05\x04\x031.1"
)
_HTTP = b"GET / HTTP/1.0\r\n\r\n"
_MOST = 256


class Speaks(Enum):
    """What is there, worded to follow "at host:port"."""

    LDAP = "an LDAP server answers unencrypted"
    TLS = "a TLS server answers"
    HTTP = "a web server answers"
    OTHER = "a service answers that speaks neither LDAP nor TLS"
    SILENT = "a service accepts connections and does not answer"
    CLOSES = "a service accepts connections and closes them at once"
    NOTHING = "nothing answers"


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """`sample` is the first line of what came, as far as it can be read."""

    speaks: Speaks
    sample: str = ""


async def probe(host: str, port: int, *, patience: float = 3.0) -> ProbeAnswer:
    """Sends an LDAP request, then an HTTP one, and judges the answers; waits `patience` seconds for each.

    A TLS server answers unencrypted text with an alert, or just closes: `CLOSES` may be one of those.
    """
    first = await _answer(host, port, _ROOT_DSE, patience)
    if first.speaks in (Speaks.SILENT, Speaks.CLOSES, Speaks.OTHER):
        second = await _answer(host, port, _HTTP, patience)
        if second.speaks is Speaks.HTTP:
            return second
    return first


async def _answer(host: str, port: int, question: bytes, patience: float) -> ProbeAnswer:
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(sock=await dial(Address(host, port)))
    except (OSError, TimeoutError):
        return ProbeAnswer(Speaks.NOTHING)
    try:
        writer.write(question)
        async with asyncio.timeout(patience):
            data = await reader.read(_MOST)
    except TimeoutError:
        return ProbeAnswer(Speaks.SILENT)
    except OSError:
        return ProbeAnswer(Speaks.CLOSES)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return ProbeAnswer(_kind(data), _readable(data))


def _kind(data: bytes) -> Speaks:
    if not data:
        return Speaks.CLOSES
    if data.startswith(b"HTTP/"):
        return Speaks.HTTP
    if data[0] in (0x15, 0x16) and data[1:2] == b"\x03":
        return Speaks.TLS
    if data[0] == 0x30 and b"\x02\x01" in data[:8]:
        return Speaks.LDAP
    return Speaks.OTHER


def _readable(data: bytes) -> str:
    line = data.decode("ascii", "replace").splitlines()[:1]
    return line[0][:80] if line and line[0].isprintable() and line[0].isascii() else ""
