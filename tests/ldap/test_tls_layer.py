"""The step between the protocol and its socket, against OpenSSL's own server side and without a socket."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.ldap._tls_layer import TlsLayer
from support.contexts import client_context, each_version, server_context


class Server:
    def __init__(self) -> None:
        self._in, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = server_context().wrap_bio(self._in, self.out, server_side=True)

    def shake_hands(self) -> bool:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def take(self, data: bytes) -> None:
        self._in.write(data)

    def text(self) -> bytes:
        try:
            return self.tls.read(65536)
        except ssl.SSLWantReadError:
            return b""

    def say(self, *pieces: bytes) -> bytes:
        """Each in a record of its own."""
        for piece in pieces:
            self.tls.write(piece)
        return self.out.read()


def shake_hands(layer: TlsLayer, server: Server) -> None:
    done = False
    while not done:
        done = layer.handshake()
        server.take(layer.outgoing.read())
        server.shake_hands()
        layer.feed(memoryview(server.out.read()))


def connected(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> tuple[TlsLayer, Server]:
    layer, server = TlsLayer(client_context(version), "localhost"), Server()
    shake_hands(layer, server)
    return layer, server


@each_version
@given(
    pieces=st.lists(st.binary(min_size=1, max_size=40_000), min_size=1, max_size=5),
    cuts=st.lists(st.integers(1, 60_000), min_size=1, max_size=12),
)
def test_text_arrives_whole_however_the_bytes_are_cut(
    version: ssl.TLSVersion, pieces: list[bytes], cuts: list[int]
) -> None:
    layer, server = connected(version)
    data = server.say(*pieces)
    got, at, turn = b"", 0, 0
    while at < len(data):
        got += layer.receive(memoryview(data)[at : (at := at + cuts[turn % len(cuts)])])
        turn += 1
    assert got == b"".join(pieces)
    assert not layer.ended


@each_version
def test_what_is_sent_can_be_read(version: ssl.TLSVersion) -> None:
    layer, server = connected(version)
    layer.send(b"one")
    layer.send(b"two")
    server.take(layer.outgoing.read())
    assert (server.text(), server.text()) == (b"one", b"two")


@each_version
@pytest.mark.parametrize("after", [b"", b"what nobody may read"])
def test_the_text_before_a_goodbye_is_given_and_nothing_after_it(
    version: ssl.TLSVersion, after: bytes
) -> None:
    layer, server = connected(version)
    data = server.say(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        server.tls.unwrap()
    assert layer.receive(memoryview(data + server.out.read() + after)) == b"last words"
    assert (layer.ended, layer.error) == (True, None)


def test_a_goodbye_is_answered() -> None:
    layer, server = connected()
    with pytest.raises(ssl.SSLWantReadError):
        server.tls.unwrap()
    layer.receive(memoryview(server.out.read()))
    layer.close()
    server.take(layer.outgoing.read())
    server.tls.unwrap()


def test_a_goodbye_after_ours_is_a_proper_end() -> None:
    layer, server = connected()
    layer.close()
    server.take(layer.outgoing.read())
    server.tls.unwrap()
    assert layer.receive(memoryview(server.out.read())) == b""
    assert (layer.ended, layer.error) == (True, None)


@each_version
def test_the_text_before_damage_is_given_and_the_damage_told_to_both(version: ssl.TLSVersion) -> None:
    layer, server = connected(version)
    good, bad = server.say(b"good"), bytearray(server.say(b"bad"))
    bad[-1] ^= 1
    assert layer.receive(memoryview(good + bad)) == b"good"
    assert layer.ended
    assert layer.error is not None
    server.take(layer.outgoing.read())
    with pytest.raises(ssl.SSLError, match="ALERT_BAD_RECORD_MAC"):
        server.tls.read(10)


@each_version
def test_a_server_that_is_not_trusted_learns_why(version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context()
    context.maximum_version = version
    layer, server = TlsLayer(context, "localhost"), Server()
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(layer, server)
    server.take(layer.outgoing.read())
    with pytest.raises(ssl.SSLError, match="ALERT_UNKNOWN_CA"):
        server.tls.do_handshake()


class Refused(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        raise ssl.SSLCertVerificationError("not the one that was meant")


def test_a_server_refused_by_our_own_checks_gets_no_end_of_the_handshake() -> None:
    context = client_context()
    context.sslobject_class = Refused
    layer, server = TlsLayer(context, "localhost"), Server()
    with pytest.raises(ssl.SSLCertVerificationError, match="meant"):
        shake_hands(layer, server)
    assert layer.outgoing.read() == b""
    assert not server.shake_hands()


class Renegotiating(ssl.SSLObject):
    """Refuses to write while `busy`, and like OpenSSL wants a refused piece to come again as it was."""

    busy = False
    refused: bytes | None = None

    def write(self, data: bytes) -> int:  # type: ignore[override]  # only bytes come here
        assert self.refused in {None, data}
        if self.busy:
            self.refused = data
            raise ssl.SSLWantReadError
        self.refused = None
        return super().write(data)


def test_what_is_written_during_a_renegotiation_leaves_after_it_in_order() -> None:
    context = client_context()
    context.sslobject_class = Renegotiating
    layer, server = TlsLayer(context, "localhost"), Server()
    shake_hands(layer, server)
    server.take(layer.outgoing.read())
    tls = layer.ssl_object
    assert isinstance(tls, Renegotiating)
    tls.busy = True
    for piece in (b"one", b"two", b"three"):
        layer.send(piece)
    assert layer.blocked
    assert layer.receive(memoryview(server.say(b"meanwhile"))) == b"meanwhile"
    assert layer.blocked
    assert layer.outgoing.read() == b""
    tls.busy = False
    layer.receive(memoryview(server.say(b"go on")))
    layer.send(b"four")
    server.take(layer.outgoing.read())
    assert [server.text() for _ in range(4)] == [b"one", b"two", b"three", b"four"]
