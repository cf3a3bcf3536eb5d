"""The PROXY protocol, version 2: how a balancer tells whose connection it passes on.

Only read from trusted proxies (`QUINTET_TRUSTED_PROXIES`), of which it is demanded. Bytes in, an address out.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final

from quintet.sametime.errors import MalformedMessageError

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_HEADER: Final = 16
_MOST: Final = 4096
_VERSION: Final = 0x20
_LOCAL, _PROXY = 0x20, 0x21
_INET, _INET6 = 0x1, 0x2
_STREAM: Final = 0x1


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """`size` is how many bytes the header takes. `address` is None for a check by the proxy itself."""

    size: int
    address: str | None
    port: int = 0


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header with which `data` begins, or None while it is incomplete. Raises MalformedMessageError."""
    if not data.startswith(SIGNATURE[: len(data)]):
        raise MalformedMessageError("no PROXY protocol header (version 2) from a trusted proxy")
    if len(data) < _HEADER:
        return None
    command, family = data[12], data[13]
    length = int.from_bytes(data[14:16], "big")
    size = _HEADER + length
    if command not in (_LOCAL, _PROXY):
        raise MalformedMessageError(f"PROXY protocol command {command:#04x}")
    if size > _MOST:
        raise MalformedMessageError(f"a PROXY protocol header of {size} bytes")
    if len(data) < size:
        return None
    if command == _LOCAL:
        return ProxyHeader(size, None)
    body = data[_HEADER:size]
    width = {_INET: 4, _INET6: 16}.get(family >> 4)
    if width is None or family & 0xF != _STREAM:
        raise MalformedMessageError(f"PROXY protocol address family {family:#04x}")
    if length < 2 * width + 4:
        raise MalformedMessageError("a PROXY protocol header that is too short for its addresses")
    address = ipaddress.ip_address(body[:width])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return ProxyHeader(size, str(address), int.from_bytes(body[2 * width : 2 * width + 2], "big"))
