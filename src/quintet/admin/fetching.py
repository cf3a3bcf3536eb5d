"""What certificates an LDAP server shows, over LDAPS or StartTLS. None is believed, and nothing asked."""

import socket
import ssl
from dataclasses import dataclass

from cryptography import x509

from quintet.admin.probing import Speaks, probe
from quintet.ldap.connection import Address, connect
from quintet.ldap.errors import LdapError, ResultError, TlsFailed
from quintet.tls.context import inspection_context, make_context
from quintet.tls.explain import Explanation, explain, peer_chain
from quintet.tls.profile import TlsProfile
from quintet.tls.stores import Store


@dataclass(frozen=True, slots=True)
class Shown:
    """A server's chain, its own certificate first, and what the handshake agreed on."""

    chain: tuple[x509.Certificate, ...]
    tls_version: str | None
    cipher: str | None


class CannotFetch(Exception):
    """No certificate came. The message says what is there instead, and what to do."""


async def fetch(host: str, port: int, *, start_tls: bool = False, patience: float = 6.0) -> Shown:
    """The chain that the server shows. Waits `patience` seconds for it. Raises `CannotFetch`."""
    context = inspection_context(TlsProfile())
    try:
        async with await connect(
            Address(host, port), tls=context, start_tls=start_tls, timeout=patience
        ) as connection:
            secured = connection.ssl_object
            chain = peer_chain(secured) if secured is not None else ()
            shown = Shown(tuple(chain), connection.tls_version, connection.cipher)
    except LdapError as error:
        raise CannotFetch(await _why(error, host, port, start_tls=start_tls, patience=patience)) from error
    if not shown.chain:
        raise CannotFetch(f"{host}:{port} shows no certificate")
    return shown


async def verify(
    host: str,
    port: int,
    *,
    profile: TlsProfile,
    trust: Store,
    chain: tuple[x509.Certificate, ...],
    start_tls: bool = False,
    patience: float = 6.0,
) -> Explanation | None:
    """Connects once more and believes only `trust`: None when that works, else why it does not."""
    context = make_context(profile, trust=trust)
    try:
        async with await connect(Address(host, port), tls=context, start_tls=start_tls, timeout=patience):
            return None
    except TlsFailed as error:
        return explain(error, host=host, port=port, chain=chain, trust=trust, profile=profile)
    except LdapError as error:
        raise CannotFetch(await _why(error, host, port, start_tls=start_tls, patience=patience)) from error


async def _why(error: LdapError, host: str, port: int, *, start_tls: bool, patience: float) -> str:
    place, cause = f"{host}:{port}", _root_cause(error)
    if isinstance(cause, socket.gaierror):
        return f"the name {host!r} is not known here: check its spelling, or give the address"
    if isinstance(cause, ConnectionRefusedError):
        return f"nothing listens at {place}: check the port, which is usually {389 if start_tls else 636}"
    if isinstance(error, ResultError):
        return f"{place} refuses StartTLS ({error.what}): use its TLS port, usually 636, without --starttls"
    if start_tls and await _speaks_tls(host, port, patience):
        return f"{place} is a TLS port: leave out --starttls"
    answer = await probe(host, port, patience=min(patience, 3.0))
    sample = f" ({answer.sample!r})" if answer.sample else ""
    match answer.speaks:
        case Speaks.LDAP if not start_tls:
            return (
                f"{place} is a clear LDAP port, no TLS port: use the TLS port, usually 636, "
                "or add --starttls if the server offers it"
            )
        case Speaks.TLS | Speaks.LDAP:
            return f"the TLS handshake with {place} fails: {_reason(cause)}"
        case Speaks.NOTHING:
            return f"nothing answers at {place}: a firewall may be in the way"
        case _:
            return f"at {place} {answer.speaks.value}{sample}: check host and port"


async def _speaks_tls(host: str, port: int, patience: float) -> bool:
    context = inspection_context(TlsProfile())
    try:
        async with await connect(Address(host, port), tls=context, timeout=patience):
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
