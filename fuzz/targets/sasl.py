"""SCRAM, both halves, and SASLprep."""

from collections.abc import Iterator
from typing import Final

from fuzz.target import Target, halves, nothing_more, text_of
from quintet.ldap.sasl.channel_binding import TLS_SERVER_END_POINT, ChannelBinding
from quintet.ldap.sasl.saslprep import saslprep
from quintet.ldap.sasl.scram import (
    FEWEST_ITERATIONS,
    MECHANISMS,
    MOST_ITERATIONS,
    Credentials,
    ScramClient,
    ScramError,
    ScramServer,
)

_NONCE: Final = "rOprNGfwEbeRWgbNEkqO"
_SECRET: Final = bytes(range(32))
"""In the place of what is derived from a password. No input has it, so no proof can be right."""


def _read_challenge(data: bytes) -> None:
    """A byte for the mechanism, then a server's two messages. The second must be refused."""
    mechanism = MECHANISMS[data[0] % len(MECHANISMS)] if data else MECHANISMS[0]
    first, last = halves(data[1:])
    binding = ChannelBinding(TLS_SERVER_END_POINT, b"certificate")
    client = ScramClient(mechanism, "us,er=", "pencil", binding=binding, plus_offered=True, nonce=_NONCE)
    client.first()
    challenge = client.challenge(first)
    assert FEWEST_ITERATIONS <= challenge.iterations <= MOST_ITERATIONS
    client.final(_SECRET)
    client.verify(last)
    raise AssertionError("a server that does not know the password was believed")


def _read_proof(data: bytes) -> None:
    """A byte for the mechanism, then a client's two messages. The second must be refused."""
    mechanism = MECHANISMS[data[0] % len(MECHANISMS)] if data else MECHANISMS[0]
    first, last = halves(data[1:])
    known = Credentials(b"salt", FEWEST_ITERATIONS, _SECRET, _SECRET)
    server = ScramServer(mechanism, lambda name: known if name else None, binding=b"certificate", nonce="x")
    server.first(first)
    server.final(last)
    raise AssertionError("a client that does not know the password was believed")


def _challenges() -> Iterator[bytes]:
    for nth in range(len(MECHANISMS)):
        start = b"%cr=%s%%hvYDpWUa2RaTCAfuxFIlj)hNlF,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096" % (
            nth,
            _NONCE.encode(),
        )
        yield start + b"\0v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        yield start + b",x=y\0e=invalid-proof"


def _proofs() -> Iterator[bytes]:
    for nth, flag in enumerate((b"p=tls-server-end-point", b"p=tls-server-end-point", b"n", b"y,a=other")):
        bound = b"c=biws" if flag == b"n" else b"c=cD10bHMtc2VydmVyLWVuZC1wb2ludCws"
        proof = b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        yield b"%c%s,,n=us=2Cer=3D,r=abc\0%s,r=abcx,p=%s" % (nth, flag, bound, proof)


def _check_prepared(prepared: str) -> None:
    assert saslprep(prepared) == prepared


TARGETS: Final = (
    Target("scram", "messages of a SCRAM server", _read_challenge, (ScramError,), nothing_more, _challenges),
    Target("scram-server", "messages of a SCRAM client", _read_proof, (ScramError,), nothing_more, _proofs),
    Target(
        "saslprep",
        "names and passwords",
        lambda data: saslprep(text_of(data)),
        (ValueError,),
        _check_prepared,
        lambda: map(
            str.encode, ("I\u00adX", "\u00aa", "\u2168", "a\u00a0b", "\u06271", "\u0627a\u0628", "\u0007")
        ),
    ),
)
