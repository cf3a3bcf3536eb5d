"""The PROXY protocol, version 2: how a balancer tells whose connection it passes on.

Only read from trusted proxies (`QUINTET_TRUSTED_PROXIES`): at the Sametime port they must send it, at the
HTTP port they may. Bytes in, an address out.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
FIXED_SIZE: Final = 16
"""Bytes with which every header begins; they say how many more follow."""
_MOST: Final = 4096
_LOCAL, _PROXY = 0x20, 0x21
_INET, _INET6 = 0x1, 0x2
_STREAM: Final = 0x1


class ProxyHeaderError(ValueError):
    """The bytes that came are no header of this version that names a TCP connection."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """`size` is how many bytes the header takes. `address` is None for a check by the proxy itself."""

    size: int
    address: str | None
    port: int = 0


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header with which `data` begins, or None while it is incomplete. Raises ProxyHeaderError."""
    size = proxy_header_size(data)
    if size is None or len(data) < size:
        return None
    if data[12] == _LOCAL:
        return ProxyHeader(size, None)
    body = data[FIXED_SIZE:size]
    family = data[13]
    width = {_INET: 4, _INET6: 16}.get(family >> 4)
    if width is None or family & 0xF != _STREAM:
        raise ProxyHeaderError(f"PROXY protocol address family {family:#04x}")
    if len(body) < 2 * width + 4:
        raise ProxyHeaderError("a PROXY protocol header that is too short for its addresses")
    address = ipaddress.ip_address(body[:width])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return ProxyHeader(size, str(address), int.from_bytes(body[2 * width : 2 * width + 2], "big"))


def proxy_header_size(data: bytes) -> int | None:
    """How many bytes the header takes with which `data` begins, or None while FIXED_SIZE bytes are not there.

    Raises ProxyHeaderError for what is none, and for one that is too large.
    """
    if not data.startswith(SIGNATURE[: len(data)]):
        raise ProxyHeaderError("no PROXY protocol header (version 2) from a trusted proxy")
    if len(data) < FIXED_SIZE:
        return None
    if data[12] not in (_LOCAL, _PROXY):
        raise ProxyHeaderError(f"PROXY protocol command {data[12]:#04x}")
    size = FIXED_SIZE + int.from_bytes(data[14:16], "big")
    if size > _MOST:
        raise ProxyHeaderError(f"a PROXY protocol header of {size} bytes")
    return size
