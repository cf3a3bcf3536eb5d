"""PROXY protocol headers, version 2, from trusted proxies."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.proxy_protocol import SIGNATURE, ProxyHeader, ProxyHeaderError, read_proxy_header
from support.sametime_server import proxy_header


@given(st.ip_addresses(), st.integers(0, 65535), st.binary(max_size=20), st.binary(max_size=20))
def test_the_address_of_the_client_is_read_and_what_follows_is_left(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, options: bytes, rest: bytes
) -> None:
    data = proxy_header(str(address), port, options)
    plain = getattr(address, "ipv4_mapped", None) or address
    assert read_proxy_header(data + rest) == ProxyHeader(len(data), str(plain), port)


@given(st.ip_addresses(), st.data())
def test_an_incomplete_header_is_waited_for(address: ipaddress.IPv4Address, data: st.DataObject) -> None:
    header = proxy_header(str(address), 1)
    size = data.draw(st.integers(0, len(header) - 1))
    assert read_proxy_header(header[:size]) is None


def test_a_check_by_the_proxy_itself_has_no_address() -> None:
    assert read_proxy_header(SIGNATURE + b"\x20\x00\x00\x00") == ProxyHeader(16, None)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x25",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        SIGNATURE + b"\x11\x11\x00\x0c",
        SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x31\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x12\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11),
        SIGNATURE + b"\x21\x21\x00\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
    ids=["none", "version 1", "version 0x1", "command", "unix", "datagram", "short", "short 6", "huge"],
)
def test_anything_else_is_malformed(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        read_proxy_header(data)


@given(st.binary())
def test_hostile_bytes_give_a_header_nothing_or_the_one_error(data: bytes) -> None:
    for each in (data, SIGNATURE + data):
        try:
            header = read_proxy_header(each)
        except ProxyHeaderError:
            continue
        assert header is None or header.size <= len(each)
