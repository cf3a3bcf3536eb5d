"""SCRAM: the examples of the RFCs, both halves against each other, and the lies of either side."""

import base64
import contextlib
import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.ldap.sasl import scram
from quintet.ldap.sasl.channel_binding import ChannelBinding, of_certificate
from quintet.ldap.sasl.saslprep import saslprep
from quintet.ldap.sasl.scram import Challenge, ScramClient, ScramError, ScramServer

CHANNEL = ChannelBinding("tls-server-end-point", b"hash")

RFC_5802 = (
    "SCRAM-SHA-1",
    "fyko+d2lbbFgONRv9qkxdawL",
    b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
)
RFC_7677 = (
    "SCRAM-SHA-256",
    "rOprNGfwEbeRWgbNEkqO",
    b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    ),
    b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
)


@pytest.mark.parametrize("example", [RFC_5802, RFC_7677], ids=["RFC 5802", "RFC 7677"])
def test_the_client_speaks_as_in_the_rfc(example: tuple[str, str, bytes, bytes, bytes, bytes]) -> None:
    mechanism, nonce, first, challenge, final, verdict = example
    client = ScramClient(mechanism, "user", "pencil", nonce=nonce)
    assert client.first() == first
    assert client.final(client.salted(client.challenge(challenge))) == final
    client.verify(verdict)


@pytest.mark.parametrize("example", [RFC_5802, RFC_7677], ids=["RFC 5802", "RFC 7677"])
def test_the_server_speaks_as_in_the_rfc(example: tuple[str, str, bytes, bytes, bytes, bytes]) -> None:
    mechanism, nonce, first, challenge, final, verdict = example
    whole, salt, _ = (part[2:] for part in challenge.decode().split(","))
    kept = scram.credentials(mechanism, "pencil", salt=base64.b64decode(salt))
    server = ScramServer(mechanism, {"user": kept}.get, nonce=whole.removeprefix(nonce))
    assert server.first(first) == challenge
    assert server.final(final) == verdict


def exchange(client: ScramClient, server: ScramServer) -> None:
    challenge = client.challenge(server.first(client.first()))
    client.verify(server.final(client.final(client.salted(challenge))))


@settings(max_examples=25)
@given(
    st.sampled_from(scram.MECHANISMS), st.text(min_size=1, max_size=12), st.binary(min_size=1, max_size=12)
)
def test_both_halves_understand_each_other(mechanism: str, user: str, password: bytes) -> None:
    try:
        client = ScramClient(
            mechanism,
            user,
            password,
            authzid="u:a,b=c",
            binding=ChannelBinding("tls-server-end-point", b"hash"),
            plus_offered=True,
        )
        prepared = saslprep(user)
    except (ScramError, ValueError):
        return
    kept = scram.credentials(mechanism, password)
    server = ScramServer(mechanism, {prepared: kept}.get, binding=b"hash", plus_offered=True)
    exchange(client, server)
    assert (server.user, server.authzid) == (prepared, "u:a,b=c")


def halves(password: str = "pencil") -> tuple[ScramClient, ScramServer]:
    kept = scram.credentials("SCRAM-SHA-1", "pencil")
    return ScramClient("SCRAM-SHA-1", "user", password), ScramServer("SCRAM-SHA-1", {"user": kept}.get)


def test_a_wrong_password_is_found_out() -> None:
    client, server = halves("pen")
    with pytest.raises(ScramError, match="wrong"):
        exchange(client, server)


def test_an_unknown_user_is_told_as_a_wrong_password() -> None:
    client, server = ScramClient("SCRAM-SHA-1", "who", "x"), ScramServer("SCRAM-SHA-1", lambda _: None)
    with pytest.raises(ScramError, match="the name or the password is wrong"):
        exchange(client, server)


def test_a_server_that_does_not_know_the_password_is_found_out() -> None:
    client, server = halves()
    client.final(client.salted(client.challenge(server.first(client.first()))))
    with pytest.raises(ScramError, match="prove"):
        client.verify(b"v=" + base64.b64encode(b"x" * 20))


def test_the_end_without_a_signature_is_no_proof() -> None:
    with pytest.raises(ScramError):
        halves()[0].verify(b"v=")


def test_another_channel_is_found_out() -> None:
    kept = scram.credentials("SCRAM-SHA-256-PLUS", "pencil")
    client = ScramClient(
        "SCRAM-SHA-256-PLUS", "user", "pencil", binding=ChannelBinding("tls-server-end-point", b"ours")
    )
    server = ScramServer("SCRAM-SHA-256-PLUS", {"user": kept}.get, binding=b"theirs")
    with pytest.raises(ScramError, match="does not fit"):
        exchange(client, server)


def test_hidden_plus_mechanisms_are_found_out() -> None:
    kept = scram.credentials("SCRAM-SHA-256", "pencil")
    client = ScramClient("SCRAM-SHA-256", "user", "pencil", binding=CHANNEL, plus_offered=False)
    with pytest.raises(ScramError, match="hid"):
        exchange(client, ScramServer("SCRAM-SHA-256", {"user": kept}.get, binding=b"x", plus_offered=True))


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"binding": CHANNEL, "plus_offered": False}, b"y,,"),
        ({"binding": CHANNEL, "plus_offered": None}, b"n,,"),
        ({"binding": None, "plus_offered": False}, b"n,,"),
    ],
)
def test_the_flag_tells_what_the_client_could_have_done(
    options: dict[str, ChannelBinding], flag: bytes
) -> None:
    assert ScramClient("SCRAM-SHA-1", "u", "p", **options).first().startswith(flag)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", ["0", "1", "4095", "10000001", "4294967296", "-1", "x", "", "1e5", "٤٠٩٦"])
def test_absurd_iterations_are_refused(count: str) -> None:
    client = ScramClient("SCRAM-SHA-1", "user", "pencil", nonce="abc")
    with pytest.raises(ScramError, match="iterations"):
        client.challenge(f"r=abcdef,s=QSXCR+Q6sek8bf92,i={count}".encode())


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"r=abcdef",
        b"r=abc,s=QUJD,i=4096",
        b"r=xyzabc,s=QUJD,i=4096",
        b"r=abcdef,s=???,i=4096",
        b"m=ext,r=abcdef,s=QUJD,i=4096",
        b"s=QUJD,r=abcdef,i=4096",
        b"r=abcdef,r=abcdef,s=QUJD,i=4096",
        b"\xff\xfe",
    ],
)
def test_a_first_message_that_is_none_is_refused(message: bytes) -> None:
    with pytest.raises(ScramError):
        ScramClient("SCRAM-SHA-1", "user", "pencil", nonce="abc").challenge(message)


@given(st.binary(max_size=80))
def test_bytes_of_any_kind_raise_nothing_else(data: bytes) -> None:
    client, server = halves()
    for read in (client.challenge, server.first):
        with contextlib.suppress(ScramError):
            assert read(data)
    for prove in (client.verify, server.final):
        with pytest.raises(ScramError):
            prove(data)


def test_a_server_that_says_why_is_heard() -> None:
    with pytest.raises(ScramError, match="invalid-proof"):
        halves()[0].verify(b"e=invalid-proof")


def test_the_best_mechanism_is_chosen() -> None:
    offered = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "PLAIN")
    assert scram.choose(offered, bound=True) == "SCRAM-SHA-1-PLUS"
    assert scram.choose(offered, bound=False) == "SCRAM-SHA-256"
    assert scram.choose(("PLAIN",), bound=True) is None


def test_plus_without_a_channel_is_refused() -> None:
    with pytest.raises(ScramError, match="needs TLS"):
        ScramClient("SCRAM-SHA-1-PLUS", "u", "p")


def test_secrets_never_show() -> None:
    kept = scram.credentials("SCRAM-SHA-1", "pencil")
    assert str(kept.stored_key) not in repr(kept)
    assert "pencil" not in repr(ScramClient("SCRAM-SHA-1", "u", "pencil")) + repr(Challenge(b"", 1))


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\xadX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\xaa", "a"),
        ("\u2168", "IX"),
        ("a\xa0b", "a b"),
    ],
)
def test_saslprep_prepares_as_in_rfc_4013(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize("text", ["\x07", "\u0627\x31", "a\ue000", "\ud800"])
def test_saslprep_prohibits_as_in_rfc_4013(text: str) -> None:
    with pytest.raises(ValueError, match="SASLprep"):
        saslprep(text)


def test_saslprep_never_repeats_a_password() -> None:
    with pytest.raises(ScramError) as caught:
        ScramClient("SCRAM-SHA-1", "u", "hunter2\x07")
    assert "hunter2" not in str(caught.value)


def test_a_binding_of_another_kind_is_refused() -> None:
    kept = scram.credentials("SCRAM-SHA-1-PLUS", "pencil")
    client = ScramClient("SCRAM-SHA-1-PLUS", "user", "pencil", binding=ChannelBinding("tls-unique", b"x"))
    server = ScramServer("SCRAM-SHA-1-PLUS", {"user": kept}.get, binding=b"x")
    with pytest.raises(ScramError, match="kind"):
        exchange(client, server)


@pytest.mark.parametrize(
    ("signed_with", "hashed_with"),
    [(hashes.SHA256(), hashlib.sha256), (hashes.SHA384(), hashlib.sha384), (None, None)],
    ids=["SHA-256", "SHA-384", "Ed25519"],
)
def test_the_binding_is_the_hash_of_the_certificate_by_its_signature(
    signed_with: hashes.SHA256 | hashes.SHA384 | None, hashed_with: Callable[[bytes], Any] | None
) -> None:
    key: Any = (
        ec.generate_private_key(ec.SECP256R1()) if signed_with else ed25519.Ed25519PrivateKey.generate()
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(1))
        .sign(key, signed_with)
        .public_bytes(Encoding.DER)
    )
    wanted = (
        ChannelBinding("tls-server-end-point", hashed_with(certificate).digest()) if hashed_with else None
    )
    assert of_certificate(certificate) == wanted


def test_what_is_no_certificate_has_no_binding() -> None:
    assert of_certificate(b"x") is None
