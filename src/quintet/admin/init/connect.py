"""How a server is reached: over TLS on its own port, by StartTLS on the clear one, or only in clear."""

from dataclasses import dataclass

from quintet.admin.fetching import PATIENCE, FetchError, Peer, Shown, fetch
from quintet.admin.init.root_dse import Root, read_root
from quintet.config import PLAIN_PORT, TLS_PORT
from quintet.ldap.connection import Address, Connection, connect
from quintet.ldap.errors import LdapError
from quintet.tls.context import inspection_context
from quintet.tls.settings import TlsSettings


@dataclass(frozen=True, slots=True)
class Reached:
    """A server that answers. `peer` and `shown` are None when it has no TLS; `problem` tells why."""

    host: str
    port: int
    tls_port: int
    peer: Peer | None
    shown: Shown | None
    root: Root
    problem: str | None = None

    @property
    def start_tls(self) -> bool:
        return self.peer is not None and self.peer.start_tls


async def reach(host: str, port: int, tls_port: int) -> Reached:
    """Try TLS on `tls_port`, TLS and StartTLS on `port`, then clear. Nothing but the root DSE is asked for.

    Nobody is believed and no password is sent. Raises `FetchError` when nothing answers at all.
    """
    problems = []
    for peer in (Peer(host, tls_port), Peer(host, port, start_tls=True), Peer(host, port)):
        try:
            shown = await fetch(peer)
        except FetchError as error:
            problems.append(str(error))
            continue
        async with await peer.connect(inspection_context(TlsSettings())) as connection:
            root = await _root(connection, peer)
        if peer.port == port and not peer.start_tls:
            return Reached(host, PLAIN_PORT, port, peer, shown, root)
        return Reached(host, port, tls_port, peer, shown, root)
    try:
        connection = await connect(Address(host, port), timeout=PATIENCE)
    except LdapError as error:
        raise FetchError(problems[0]) from error
    async with connection:
        root = await _root(connection, Peer(host, port))
    return Reached(host, port, tls_port, None, None, root, f"{problems[0]}; {problems[1]}")


async def _root(connection: Connection, peer: Peer) -> Root:
    try:
        return await read_root(connection)
    except LdapError as error:
        raise FetchError(f"{peer} does not tell what it is: {error}") from error
