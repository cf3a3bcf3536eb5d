"""What certificates an LDAP server shows, over LDAPS or StartTLS. None is believed, and nothing asked."""

import socket
import ssl
from dataclasses import dataclass

from cryptography import x509

from quintet.admin.service_kind import Speaks, probe
from quintet.ldap.connection import Address, Connection, connect
from quintet.ldap.errors import LdapError, ResultError, TlsError
from quintet.tls.context import inspection_context, make_context
from quintet.tls.diagnosis.explain import Explanation, explain, peer_chain
from quintet.tls.settings import TlsSettings
from quintet.tls.stores import Store

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


@dataclass(frozen=True, slots=True)
class Shown:
    """A server's chain, its own certificate first, and what the handshake agreed on."""

    chain: tuple[x509.Certificate, ...]
    tls_version: str | None
    cipher: str | None


class FetchError(Exception):
    """No certificate came. The message says what is there instead, and what to do."""


async def fetch(peer: Peer) -> Shown:
    """The chain that the server shows. Raises `FetchError`."""
    try:
        async with await peer.connect(inspection_context(TlsSettings())) as connection:
            secured = connection.ssl_object
            chain = peer_chain(secured) if secured is not None else ()
            shown = Shown(tuple(chain), connection.tls_version, connection.cipher)
    except LdapError as error:
        raise FetchError(await _why(error, peer)) from error
    if not shown.chain:
        raise FetchError(f"{peer} shows no certificate")
    return shown


async def verify(
    peer: Peer, *, profile: TlsSettings, trust: Store, chain: tuple[x509.Certificate, ...]
) -> Explanation | None:
    """Connects once more and believes only `trust`: None when that works, else why it does not.

    `chain` is what the server showed before. Raises `FetchError`.
    """
    try:
        async with await peer.connect(make_context(profile, trust=trust)):
            return None
    except TlsError as error:
        return explain(error, host=peer.host, port=peer.port, chain=chain, trust=trust, profile=profile)
    except LdapError as error:
        raise FetchError(await _why(error, peer)) from error


async def _why(error: LdapError, peer: Peer) -> str:
    cause = _root_cause(error)
    if isinstance(cause, socket.gaierror):
        return f"the name {peer.host!r} is not known here: check its spelling, or give the address"
    if isinstance(cause, ConnectionRefusedError):
        usual = 389 if peer.start_tls else 636
        return f"nothing listens at {peer}: check the port, which is usually {usual}"
    if isinstance(error, ResultError):
        return f"{peer} refuses StartTLS ({error.message}): use its TLS port, usually 636, without --starttls"
    if peer.start_tls and await _speaks_tls(peer):
        return f"{peer} is a TLS port: leave out --starttls"
    answer = await probe(peer.host, peer.port, patience=min(PATIENCE, 3.0))
    sample = f" ({answer.sample!r})" if answer.sample else ""
    match answer.speaks:
        case Speaks.LDAP if not peer.start_tls:
            return (
                f"{peer} is a clear LDAP port, no TLS port: use the TLS port, usually 636, "
                "or add --starttls if the server offers it"
            )
        case Speaks.TLS | Speaks.LDAP:
            return f"the TLS handshake with {peer} fails: {_reason(cause)}"
        case Speaks.NOTHING:
            return f"nothing answers at {peer}: a firewall may be in the way"
        case _:
            return f"at {peer} {answer.speaks.value}{sample}: check host and port"


async def _speaks_tls(peer: Peer) -> bool:
    try:
        async with await Peer(peer.host, peer.port).connect(inspection_context(TlsSettings())):
            return True
    except LdapError:
        return False


def _root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _reason(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return str(error)
