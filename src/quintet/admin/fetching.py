"""The certificates that an LDAP server presents, over LDAPS or StartTLS. Nothing is verified."""

import socket
import ssl
from dataclasses import dataclass

from quintet.admin.service_kind import Speaks, probe
from quintet.ldap import Address, Connection, LdapError, ResultError, TlsError, connect
from quintet.tls import Explanation, Presented, Store, TlsSettings, explain, inspect, make_context

PATIENCE = 6.0
"""Seconds to wait for a connection."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An LDAP server, and how TLS with it begins."""

    host: str
    port: int
    start_tls: bool = False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    async def connect(self, context: ssl.SSLContext) -> Connection:
        address = Address(self.host, self.port)
        return await connect(address, tls=context, start_tls=self.start_tls, timeout=PATIENCE)


class FetchError(Exception):
    """No certificate came. The message says what is there instead, `fix` what to do."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(f"{message}; {fix}" if fix else message)
        self.message = message
        self.fix = fix


async def fetch(peer: Peer) -> Presented:
    """What the server presents: a chain of one certificate or more. Raises `FetchError`."""
    try:
        presented = await inspect(peer.connect)
    except LdapError as error:
        raise await _explained(error, peer) from error
    if not presented.chain:
        message = f"the certificate presented by {peer} is malformed: {presented.malformed}"
        if presented.malformed is None:
            message = f"{peer} presents no certificate"
        raise FetchError(message, "give the server a certificate that follows RFC 5280")
    return presented


async def verify(
    peer: Peer, *, settings: TlsSettings, trust: Store, presented: Presented
) -> Explanation | None:
    """Connects once more and trusts only `trust`: None when that succeeds, else why it does not.

    `presented` is what the server showed before. Raises `FetchError`.
    """
    try:
        async with await peer.connect(make_context(settings, trust=trust)):
            return None
    except TlsError as error:
        return explain(
            error, host=peer.host, port=peer.port, settings=settings, trust=trust, presented=presented
        )
    except LdapError as error:
        raise await _explained(error, peer) from error


async def _explained(error: LdapError, peer: Peer) -> FetchError:
    cause = _root_cause(error)
    if isinstance(cause, socket.gaierror):
        return FetchError(
            f"the name {peer.host!r} does not resolve", "check its spelling, or give the address"
        )
    if isinstance(cause, ConnectionRefusedError):
        usual = 389 if peer.start_tls else 636
        return FetchError(f"{peer} refuses connections", f"check the port, which is usually {usual}")
    if isinstance(error, ResultError):
        fix = "use its TLS port, usually 636, without --starttls"
        return FetchError(f"{peer} refuses StartTLS ({error.message})", fix)
    if peer.start_tls and await _speaks_tls(peer):
        return FetchError(f"{peer} is a TLS port", "leave out --starttls")
    answer = await probe(peer.host, peer.port, patience=min(PATIENCE, 3.0))
    sample = f" ({answer.sample!r})" if answer.sample else ""
    match answer.speaks:
        case Speaks.LDAP if not peer.start_tls:
            fix = "use the TLS port, usually 636, or add --starttls if the server offers it"
            return FetchError(f"{peer} is a plain LDAP port, not a TLS port", fix)
        case Speaks.TLS | Speaks.LDAP:
            return FetchError(f"the TLS handshake with {peer} failed: {_reason(cause)}")
        case Speaks.NOTHING:
            return FetchError(f"no answer from {peer}", "check that no firewall is in the way")
        case _:
            return FetchError(f"at {peer} {answer.speaks.value}{sample}", "check host and port")


async def _speaks_tls(peer: Peer) -> bool:
    try:
        await inspect(Peer(peer.host, peer.port).connect)
    except LdapError:
        return False
    return True


def _root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return str(error)
