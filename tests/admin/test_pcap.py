"""A recording becomes a capture that Wireshark's own reader takes."""

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.pcap import pcap
from quintet.admin.proxy import Chunk, Direction, Recording
from quintet.directory import Service

_RECORDING = Recording(
    Service.BROWSE,
    ("127.0.0.1", 40_000),
    ("ldap.example.com", 389),
    [
        Chunk(1_700_000_000.25, Direction.TO_SERVER, b"question" * 9000),
        Chunk(1_700_000_000.5, Direction.TO_CLIENT, b"answer"),
    ],
)


def _packets(capture: bytes) -> list[bytes]:
    packets, at = [], 24
    while at < len(capture):
        size = int.from_bytes(capture[at + 8 : at + 12], "little")
        packets.append(capture[at + 16 : at + 16 + size])
        at += 16 + size
    return packets


@given(st.lists(st.tuples(st.sampled_from(Direction), st.binary(max_size=100)), max_size=10))
def test_the_payloads_are_the_recorded_bytes(said: list[tuple[Direction, bytes]]) -> None:
    chunks = [Chunk(float(n), direction, data) for n, (direction, data) in enumerate(said)]
    recording = Recording(Service.BROWSE, ("127.0.0.1", 40_000), ("a", 389), chunks)
    packets = _packets(pcap([recording]))
    to_server = b"".join(p[40:] for p in packets if p[22:24] == (389).to_bytes(2, "big"))
    to_client = b"".join(p[40:] for p in packets if p[20:22] == (389).to_bytes(2, "big"))
    assert to_server == recording.sent(Direction.TO_SERVER)
    assert to_client == recording.sent(Direction.TO_CLIENT)


def test_tcpdump_finds_no_fault_with_headers_and_checksums(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([_RECORDING]))
    read = subprocess.run(
        ["tcpdump", "-nn", "-vv", "-r", str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert "incorrect" not in read
    assert "bad cksum" not in read
    assert read.count("127.0.0.1.40000 > 127.0.1.1.389") == 7
    assert "Flags [S]" in read
    assert "Flags [F.]" in read
