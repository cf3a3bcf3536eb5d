"""How a server can be reached: over LDAPS, by StartTLS on the plain LDAP port, or only unencrypted."""

from dataclasses import dataclass

from quintet.admin.fetching import PATIENCE, FetchError, Peer, fetch
from quintet.config import PLAIN_PORT
from quintet.ldap import Address, Connection, LdapError, RootDSE, connect
from quintet.tls import Presented, TlsSettings, inspection_context


@dataclass(frozen=True, slots=True)
class Reached:
    """A server that answers. `peer` and `shown` are None when it has no TLS; `problem` is the reason."""

    host: str
    port: int
    tls_port: int
    peer: Peer | None
    shown: Presented | None
    root: RootDSE
    problem: str | None = None

    @property
    def start_tls(self) -> bool:
        return self.peer is not None and self.peer.start_tls


async def reach(host: str, port: int, tls_port: int) -> Reached:
    """Try TLS on `tls_port`, TLS and StartTLS on `port`, then unencrypted LDAP. Only the root DSE is read.

    No certificate is trusted and no password is sent. Raises `FetchError` when no port answers.
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


async def _root(connection: Connection, peer: Peer) -> RootDSE:
    try:
        return await connection.root_dse()
    except LdapError as error:
        raise FetchError(f"the root DSE of {peer} can't be read: {error}") from error
