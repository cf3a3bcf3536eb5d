"""TLS over memory, against Python's own client side."""

import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Certificates
from quintet.sametime.tls_engine import TlsEngine
from support.sametime_server import server_context


class Peer:
    """The client's side."""

    def __init__(self, ca: bytes, version: ssl.TLSVersion) -> None:
        context = ssl.create_default_context(cadata=ca.decode())
        context.minimum_version = context.maximum_version = version
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def shake(self) -> bool:
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> ssl.SSLContext:
    return server_context(tmp_path_factory.mktemp("tls"), certificates.server)


def established(
    context: ssl.SSLContext, ca: bytes, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> tuple[TlsEngine, Peer]:
    engine, peer = TlsEngine(context), Peer(ca, version)
    for _ in range(5):
        done = peer.shake()
        assert engine.receive(peer.outgoing.read()) == b""
        peer.incoming.write(engine.outgoing())
        if done and engine.established:
            return engine, peer
    raise AssertionError("no handshake")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_data_passes_both_ways(
    context: ssl.SSLContext, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    engine, peer = established(context, certificates.ca.pem, version)
    peer.object.write(b"hello")
    assert engine.receive(peer.outgoing.read()) == b"hello"
    peer.incoming.write(engine.send(b"there" * 20_000))
    parts: list[bytes] = []
    while sum(map(len, parts)) < 100_000:
        parts.append(peer.object.read(65536))
    assert b"".join(parts) == b"there" * 20_000
    assert engine.version == version.name.replace("_", ".")


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 700), min_size=1, max_size=20))
def test_the_handshake_may_come_in_pieces_of_any_size(
    context: ssl.SSLContext, certificates: Certificates, cuts: list[int]
) -> None:
    engine, peer = TlsEngine(context), Peer(certificates.ca.pem, ssl.TLSVersion.TLSv1_3)
    received = b""
    for _ in range(4):
        if peer.shake():
            peer.object.write(b"hello")
        data = peer.outgoing.read()
        for nth in range(10_000):
            piece, data = data[: cuts[nth % len(cuts)]], data[cuts[nth % len(cuts)] :]
            if not piece:
                break
            received += engine.receive(piece)
        peer.incoming.write(engine.outgoing())
        if received:
            break
    assert received == b"hello"


def test_the_end_of_the_clients_stream_is_noticed(
    context: ssl.SSLContext, certificates: Certificates
) -> None:
    engine, peer = established(context, certificates.ca.pem)
    peer.object.write(b"bye")
    with pytest.raises(ssl.SSLWantReadError):
        peer.object.unwrap()
    assert engine.receive(peer.outgoing.read()) == b"bye"
    assert engine.closed


def test_closing_tells_the_client_that_nothing_was_cut_off(
    context: ssl.SSLContext, certificates: Certificates
) -> None:
    engine, peer = established(context, certificates.ca.pem)
    peer.incoming.write(engine.send(b"last") + engine.close())
    assert peer.object.read(100) == b"last"
    assert peer.object.read(100) == b""


@given(st.binary(min_size=1, max_size=300))
def test_garbage_fails_as_tls_does(context: ssl.SSLContext, data: bytes) -> None:
    engine = TlsEngine(context)
    try:
        engine.receive(b"\x16" + data)
    except ssl.SSLError:
        engine.outgoing()
    assert not engine.established
