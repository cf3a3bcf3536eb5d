"""Recordings as a capture file that Wireshark opens.

The file is classic pcap with raw IPv4 packets (link type 101). A proxy has streams, not packets, so the TCP
around them is made here: a handshake, the segments of each chunk, an end.
"""

import struct
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from quintet.admin.proxy import Chunk, Direction, Recording

_FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 101)
_SEGMENT = 32_000
_SYN, _FIN, _ACK, _PUSH = 0x02, 0x01, 0x10, 0x08


def pcap(recordings: Iterable[Recording]) -> bytes:
    """One capture of all the recordings, ordered by time.

    Each connection keeps its client port; the client is shown as 127.0.0.1 and each server host as an
    address of its own in 127.0.1.0/24, since packets have addresses and not host names.
    """
    hosts: dict[str, IPv4Address] = {}
    packets: list[tuple[float, bytes]] = []
    for recording in recordings:
        host = recording.server[0]
        address = hosts.setdefault(host, IPv4Address("127.0.1.1") + len(hosts) % 250)
        packets += _Stream(recording, address).packets()
    packets.sort(key=lambda packet: packet[0])
    return _FILE_HEADER + b"".join(_record(at, packet) for at, packet in packets)


def _record(at: float, packet: bytes) -> bytes:
    microseconds = int(at * 1_000_000)
    size = len(packet)
    return struct.pack("<IIII", microseconds // 1_000_000, microseconds % 1_000_000, size, size) + packet


class _Stream:
    """The TCP numbers of one connection, both ways."""

    def __init__(self, recording: Recording, server: IPv4Address) -> None:
        self.recording = recording
        client = (IPv4Address("127.0.0.1"), recording.client[1])
        far = (server, recording.server[1])
        self.ends = {Direction.TO_SERVER: (client, far), Direction.TO_CLIENT: (far, client)}
        self.sent = {Direction.TO_SERVER: 0, Direction.TO_CLIENT: 0}

    def packets(self) -> Iterator[tuple[float, bytes]]:
        chunks = self.recording.chunks
        start = chunks[0].at if chunks else 0.0
        end = chunks[-1].at if chunks else start
        to_server, to_client = Direction.TO_SERVER, Direction.TO_CLIENT
        yield start, self._segment(to_server, _SYN)
        yield start, self._segment(to_client, _SYN | _ACK)
        yield start, self._segment(to_server, _ACK)
        for chunk in chunks:
            yield from self._data(chunk)
        yield end, self._segment(to_server, _FIN | _ACK)
        yield end, self._segment(to_client, _FIN | _ACK)
        yield end, self._segment(to_server, _ACK)

    def _data(self, chunk: Chunk) -> Iterator[tuple[float, bytes]]:
        for at in range(0, len(chunk.data), _SEGMENT):
            yield chunk.at, self._segment(chunk.direction, _PUSH | _ACK, chunk.data[at : at + _SEGMENT])

    def _segment(self, direction: Direction, flags: int, data: bytes = b"") -> bytes:
        back = Direction.TO_CLIENT if direction is Direction.TO_SERVER else Direction.TO_SERVER
        acknowledged = self.sent[back] if flags & _ACK else 0
        packet = _ipv4_tcp(*self.ends[direction], self.sent[direction], acknowledged, flags, data)
        self.sent[direction] += len(data) + bool(flags & (_SYN | _FIN))
        return packet


def _ipv4_tcp(
    source: tuple[IPv4Address, int],
    target: tuple[IPv4Address, int],
    sequence: int,
    acknowledged: int,
    flags: int,
    data: bytes,
) -> bytes:
    tcp = struct.pack(
        ">HHIIBBHHH",
        source[1],
        target[1],
        sequence & 0xFFFFFFFF,
        acknowledged & 0xFFFFFFFF,
        5 << 4,
        flags,
        65_535,
        0,
        0,
    )
    pseudo = source[0].packed + target[0].packed + struct.pack(">BBH", 0, 6, len(tcp) + len(data))
    tcp = tcp[:16] + struct.pack(">H", _checksum(pseudo + tcp + data)) + tcp[18:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp) + len(data), 0, 0x4000, 64, 6, 0)
    ip += source[0].packed + target[0].packed
    ip = ip[:10] + struct.pack(">H", _checksum(ip)) + ip[12:]
    return ip + tcp + data


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
