"""A connection to an LDAP server: many operations at once over one socket.

`connect` makes one. Every operation can be cancelled and has a time limit; both leave the connection usable,
except a bind that is not answered, and a SASL bind or StartTLS that is cut short: then it is closed. Errors
are those of `errors`.
"""

# ruff: noqa: A002, ASYNC109 (filter is LDAP's own word; a time limit is also a request to the server: abandon)

import asyncio
import ssl
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Any, Self, final

from quintet.ldap import _fast_codec
from quintet.ldap.address import Address, dial
from quintet.ldap.arguments import Deref, Name, Scope, attribute_names, dn_text
from quintet.ldap.binding import BindOperations
from quintet.ldap.errors import ConnectError, LdapError, LocalProtocolError, RemoteProtocolError, TlsError
from quintet.ldap.filters import EncodedFilter, Filter, encoded
from quintet.ldap.limits import Limits
from quintet.ldap.messages import (
    START_TLS,
    SUCCESS,
    AddRequest,
    BindRequest,
    CompareRequest,
    Control,
    DeleteRequest,
    Entry,
    ExtendedRequest,
    ModifyDNRequest,
    ModifyRequest,
    Request,
)
from quintet.ldap.operations import NEVER, AnswerOperation, SearchOperation, StreamOperation
from quintet.ldap.protocol import LdapProtocol
from quintet.ldap.reading import Intermediate, ReadOperations
from quintet.ldap.results import SearchPage, SearchResult
from quintet.ldap.session import Answer, State
from quintet.ldap.trace import Trace
from quintet.ldap.url import LdapUrl

__all__ = ["Address", "Connecting", "Connection", "Limits", "SearchPage", "SearchResult", "connect"]


def connect(
    target: str | LdapUrl | Address,
    *,
    tls: ssl.SSLContext | None = None,
    start_tls: bool = False,
    server_hostname: str | None = None,
    via: tuple[str, int] | None = None,
    timeout: float = 6.0,
    limits: Limits | None = None,
    trace: Trace | None = None,
) -> "Connecting":
    """Connect to a server.

    Write `async with connect(...) as ldap:`, which closes the connection at the end, or `await connect(...)`.

    Over TLS the server's certificate is always checked as `tls` says; the default context trusts the
    authorities of the system, and demands the right host name.

    Args:
        target: A URL: `ldaps://host:636`, `ldap://host:389`, or `ldapi://%2Frun%2Fslapd%2Fldapi` for a Unix
            socket, its path percent-encoded. What a URL says of a search is not used. Or an `Address`, where
            `tls` alone decides about encryption.
        tls: For TLS, what certificates are trusted and so on; None for `ssl.create_default_context()` where
            TLS is asked for, with `ldaps://` or `start_tls`.
        start_tls: Whether to begin unencrypted and to encrypt with StartTLS before the connection is handed
            out.
        server_hostname: The name to look for in the server's certificate; None for the host of `target`.
        via: A host and a port to connect to instead, such as those of a tunnel. The certificate is still
            checked against the host of `target`.
        timeout: The time for all of it, in seconds.
        limits: How much the connection accepts, sends and waits for.
        trace: Called with what happens on the connection, without values.

    Returns:
        What `await` or `async with` turns into a `Connection`.

    Raises:
        UrlSyntaxError: `target` is not an LDAP URL, or names no host.
        ValueError: `tls` is given for `ldap://` without `start_tls` (it would not be encrypted), for
            `ldapi://`, or `start_tls` for `ldaps://`.
        ConnectError: No connection could be made in time.
        TlsError: The TLS handshake failed: for example, the certificate is not trusted.
    """
    address, encrypt = resolve(target, tls, start_tls=start_tls)
    return Connecting(
        _connect_by_any_path(
            address,
            encrypt,
            tls,
            start_tls,
            server_hostname or address.host,
            via,
            timeout,
            limits or Limits(),
            trace,
        )
    )


def resolve(
    target: str | LdapUrl | Address, tls: ssl.SSLContext | None, *, start_tls: bool
) -> tuple[Address, bool]:
    """Where to connect, and whether to encrypt. Raises as `connect` does, before anything is tried."""
    if tls is not None and not isinstance(tls, ssl.SSLContext):
        raise TypeError(f"tls is an ssl.SSLContext, not {type(tls).__name__}")
    wanted = tls is not None or start_tls
    if isinstance(target, Address):
        scheme = "ldapi" if target.path else "ldaps" if wanted and not start_tls else "ldap"
        address = target
    elif isinstance(target, str | LdapUrl):
        url = LdapUrl.parse(target) if isinstance(target, str) else target
        scheme, address = url.scheme, url.address
    else:
        raise TypeError(f"what to connect to is a URL or an Address, not {type(target).__name__}")
    if scheme == "ldapi" and wanted:
        raise ValueError("there is no TLS on a Unix socket")
    if scheme == "ldaps" and start_tls:
        raise ValueError("start_tls is for ldap://; ldaps:// is encrypted from the start")
    if scheme == "ldap" and wanted and not start_tls:
        raise ValueError("ldap:// is not encrypted: use ldaps://, or start_tls=True as well")
    return address, scheme == "ldaps" or start_tls


async def _connect_by_any_path(
    address: Address,
    encrypt: bool,
    tls: ssl.SSLContext | None,
    start_tls: bool,
    hostname: str,
    via: tuple[str, int] | None,
    timeout: float,
    limits: Limits,
    trace: Trace | None,
) -> "Connection":
    """Connect; when the exception of a failed handshake has a `better_context`, once more with that."""
    try:
        return await _connect(address, encrypt, tls, start_tls, hostname, via, timeout, limits, trace)
    except TlsError as error:
        better: ssl.SSLContext | None = getattr(error.__cause__, "better_context", None)
        if better is None:
            raise
    return await _connect(address, encrypt, better, start_tls, hostname, via, timeout, limits, trace)


async def _connect(
    address: Address,
    encrypt: bool,
    tls: ssl.SSLContext | None,
    start_tls: bool,
    hostname: str,
    via: tuple[str, int] | None,
    timeout: float,
    limits: Limits,
    trace: Trace | None,
) -> "Connection":
    loop = asyncio.get_running_loop()
    server = str(address)
    wire = LdapProtocol(loop, server, limits, trace)
    connection = Connection(wire, address)
    stage: type[ConnectError] = ConnectError
    try:
        async with asyncio.timeout(timeout):
            if encrypt and tls is None:  # in a thread, since it reads some hundred certificates
                tls = await asyncio.to_thread(ssl.create_default_context)
            sock = await dial(address if via is None else Address(*via))
            if address.path:
                await loop.create_unix_connection(lambda: wire, sock=sock)
            else:
                await loop.create_connection(lambda: wire, sock=sock)
            stage = TlsError
            if tls is not None and not start_tls:
                await wire.upgrade(tls, hostname, agreed=False)
            elif tls is not None:
                await connection.start_tls(tls, hostname)
    except TimeoutError as error:
        wire.end(ConnectError("timed out"))
        what = "connection" if stage is ConnectError else "TLS handshake"
        raise stage(f"{what} timed out after {timeout:g} s", server=server) from error
    except (ConnectError, RemoteProtocolError) as error:
        wire.end(error)
        raise
    except LdapError as error:
        wire.end(error)
        raise TlsError(f"StartTLS failed: {error.message}", server=server) from error
    except (OSError, UnicodeError) as error:
        wire.end(ConnectError("connection failed"))
        words = getattr(error, "strerror", None) or str(error)
        raise ConnectError(f"connection failed: {words}", server=server) from error
    except BaseException:
        wire.end(ConnectError("cancelled"))
        raise
    return connection


@final
class Connecting(Coroutine[Any, Any, "Connection"], AbstractAsyncContextManager["Connection"]):
    """What `connect` gives: `await` makes the connection, `async with` makes it and closes it at the end."""

    __slots__ = ("_connection", "_work")

    def __init__(self, work: Coroutine[Any, Any, "Connection"]) -> None:
        self._work = work
        self._connection: Connection | None = None

    def __await__(self) -> Generator[Any, Any, "Connection"]:
        return self._work.__await__()

    def send(self, value: Any) -> Any:
        return self._work.send(value)

    def throw(self, *error: Any) -> Any:
        return self._work.throw(*error)

    def close(self) -> None:
        self._work.close()

    async def __aenter__(self) -> "Connection":
        self._connection = await self._work
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            await self._connection.close()


@final
class Connection(BindOperations):
    """A connection, made by `connect`. As a context manager it closes itself.

    Attributes:
        address: Where it leads.
        opened_at: When it was made, in the time of the event loop.
    """

    def __init__(self, wire: LdapProtocol, address: Address) -> None:
        self._wire = wire
        self._loop = wire.loop
        self._limits = wire.limits
        self._server = wire.server
        self.address = address
        self.opened_at = wire.loop.time()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "encrypted" if self.encrypted else "unencrypted"
        return f"<Connection to {self.address}, {state}>"

    # TLS.

    async def start_tls(
        self,
        context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Encrypt the connection from here on (RFC 4511 section 4.14). Nothing else may be in flight.

        `connect(..., start_tls=True)` does this before anything else can be sent.

        Args:
            context: What certificates are trusted and so on; None for `ssl.create_default_context()`.
            server_hostname: The name to look for in the server's certificate; None for the host of `address`.
            timeout: The time for all of it, in seconds; None for `Limits.timeout`.

        Raises:
            TlsError: The handshake failed; the connection is closed.
            ProtocolError: The server has no StartTLS; the connection stays as it was.
            LocalProtocolError: The connection is already encrypted, or other operations are in flight.
        """
        if self.encrypted:
            raise LocalProtocolError("this connection is already encrypted", operation="StartTLS")
        if context is None:
            context = await asyncio.to_thread(ssl.create_default_context)
        wire = self._wire
        deadline = self._loop.time() + (self._limits.timeout if timeout is None else timeout)
        try:
            with self._closed_if_cut_short("StartTLS", State.STARTING_TLS, State.TLS_AGREED):
                await self.perform(ExtendedRequest(START_TLS), timeout=timeout)
                async with asyncio.timeout_at(deadline):
                    await wire.upgrade(context, server_hostname or self.address.host, agreed=True)
        except TimeoutError as error:
            raise TlsError("TLS handshake timed out", server=wire.server) from error

    # Searching. `interface` says what the parameters mean.

    async def search(
        self,
        base: Name,
        scope: Scope | int,
        filter: Filter | str | bytes = "(objectClass=*)",
        attributes: Iterable[str] = (),
        *,
        size_limit: int = 0,
        time_limit: int = 0,
        deref: Deref | int = 0,
        types_only: bool = False,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        max_entries: int | None = None,
        intermediate: Intermediate | None = None,
    ) -> SearchResult:
        wire, limits = self._wire, self._limits
        if type(base) is not str:
            base = dn_text(base, "the base")
        if type(scope) is not int and type(scope) is not Scope:
            raise TypeError(_NO_SCOPE)
        names = attributes if type(attributes) is tuple else attribute_names(attributes)
        frame = _fast_codec.search_frame(base, scope, names, deref, size_limit, time_limit, types_only)
        now = wire.last_used = self._loop.time()
        future: asyncio.Future[SearchResult] = self._loop.create_future()
        pending = SearchOperation(
            future,
            wire.server,
            base,
            now + (limits.timeout if timeout is None else timeout),
            frame,
            filter if type(filter) is EncodedFilter else encoded(filter),
            _checked(controls) if controls else (),
            limits.entries if max_entries is None else max_entries,
            limits.collected,
            intermediate,
        )
        wire.begin(pending)
        try:
            return await future
        except asyncio.CancelledError:
            wire.give_up(pending)
            raise

    async def stream(
        self,
        base: Name,
        scope: Scope | int,
        filter: Filter | str | bytes = "(objectClass=*)",
        attributes: Iterable[str] = (),
        *,
        size_limit: int = 0,
        time_limit: int = 0,
        deref: Deref | int = 0,
        types_only: bool = False,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        references: list[str] | None = None,
        intermediate: Intermediate | None = None,
    ) -> AsyncGenerator[Entry, None]:
        wire = self._wire
        if type(scope) is not int and type(scope) is not Scope:
            raise TypeError(_NO_SCOPE)
        text, names = dn_text(base, "the base"), attribute_names(attributes)
        frame = _fast_codec.search_frame(text, scope, names, deref, size_limit, time_limit, types_only)
        seconds = self._limits.timeout if timeout is None else timeout
        pending = StreamOperation(
            self._loop,
            wire.server,
            text,
            frame,
            encoded(filter),
            _checked(controls),
            references,
            intermediate,
        )
        wire.begin(pending)
        try:
            while True:
                while (entry := pending.next()) is not None:
                    wire.pace()
                    yield entry
                if pending.over:
                    break
                pending.deadline = self._loop.time() + seconds
                wire.watch(pending.deadline)
                await pending.wait()
                pending.deadline = NEVER
        finally:
            wire.leave_stream(pending)
            wire.last_used = self._loop.time()
        if pending.outcome is not None:
            raise pending.outcome

    # The others.

    async def perform(
        self,
        request: Request,
        *,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        good: tuple[int, ...] = (SUCCESS,),
        intermediate: Intermediate | None = None,
    ) -> Answer:
        # What must be alone on the connection does not take its turn behind others: it is refused at once.
        wire = self._wire
        now = wire.last_used = self._loop.time()
        deadline = now + (self._limits.timeout if timeout is None else timeout)
        verb, dn, alone = about(request)
        pending = AnswerOperation(
            self._loop,
            wire.server,
            verb,
            dn,
            deadline,
            request,
            _checked(controls) if controls else (),
            good,
            intermediate,
        )
        wire.begin(pending, at_once=alone)
        try:
            return await pending.future
        except asyncio.CancelledError:
            wire.give_up(pending)
            raise

    def _pinned(self) -> AbstractAsyncContextManager[ReadOperations]:
        return nullcontext(self)

    async def close(self) -> None:
        """Unbind and close, within `Limits.close`. Operations in flight end with `ConnectionLostError`."""
        await self._wire.close()

    # What can be seen.

    @property
    def protocol(self) -> LdapProtocol:
        """What operations are sent through; for the pool."""
        return self._wire

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, on whichever side."""
        return self._wire.over

    @property
    def close_reason(self) -> LdapError | None:
        """Why it is closed; None while it is open, or if it was closed with `close`."""
        return self._wire.reason

    @property
    def in_flight(self) -> int:
        """How many operations wait for their answer, without those that wait for their turn to be sent."""
        return len(self._wire.pending)

    @property
    def operations(self) -> int:
        """How many operations were sent."""
        return self._wire.operations

    @property
    def references(self) -> int:
        """How many search references came."""
        return self._wire.references

    @property
    def last_used(self) -> float:
        """When an operation last began, in the time of the event loop."""
        return self._wire.last_used

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """The TLS session with its certificates, for what has no property here; None while unencrypted."""
        return self._wire.ssl_object

    @property
    def encrypted(self) -> bool:
        """Whether the connection is encrypted."""
        return self.ssl_object is not None

    @property
    def tls_version(self) -> str | None:
        """The version of TLS, such as `TLSv1.3`; None while the connection is unencrypted."""
        found = self.ssl_object
        return found.version() if found is not None else None

    @property
    def cipher(self) -> str | None:
        """The cipher suite by OpenSSL's name; None while the connection is unencrypted."""
        found = self.ssl_object
        suite = found.cipher() if found is not None else None
        return suite[0] if suite is not None else None

    @property
    def peer_certificate(self) -> bytes | None:
        """The server's certificate in DER; None while the connection is unencrypted."""
        found = self.ssl_object
        return found.getpeercert(True) if found is not None else None


_NO_SCOPE = "a scope is Scope, or 0, 1 or 2"

_VERBS: dict[type, str] = {
    AddRequest: "add",
    CompareRequest: "compare",
    DeleteRequest: "delete",
    ModifyDNRequest: "modify DN",
    ModifyRequest: "modify",
}


def about(request: Request) -> tuple[str, str | None, bool]:
    """The operation's name, the entry that it is about, and whether it must be alone on the connection."""
    match request:
        case BindRequest(name):
            return "bind", name, True
        case ExtendedRequest(oid):
            return ("StartTLS", None, True) if oid == START_TLS else ("extended", None, False)
        case (
            AddRequest(dn) | CompareRequest(dn) | DeleteRequest(dn) | ModifyDNRequest(dn) | ModifyRequest(dn)
        ):
            return _VERBS[type(request)], dn, False
    raise TypeError(f"a {type(request).__name__} has not one answer")


def _checked(controls: Sequence[Control]) -> tuple[Control, ...]:
    given = tuple(controls)
    for each in given:
        if not isinstance(each, Control):
            raise TypeError(f"a control is a Control, not {type(each).__name__}")
    return given
