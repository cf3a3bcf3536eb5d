"""What the embedded server answers, without a socket: requests in, responses out."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import final

from quintet.embedded.matching import attribute_key, compiled, normal
from quintet.embedded.sasl import Exchange, mechanisms
from quintet.embedded.tree import NEVER_SHOWN, Tree, TreeEntry, parsed
from quintet.ldap import (
    Control,
    Entry,
    ExtendedResponse,
    ManageDsaIT,
    PagedResults,
    RemoteProtocolError,
    Result,
    Scope,
)
from quintet.ldap.messages import (
    COMPARE_FALSE,
    COMPARE_TRUE,
    SASL_BIND_IN_PROGRESS,
    START_TLS,
    WHO_AM_I,
    AddRequest,
    AddResponse,
    BindRequest,
    BindResponse,
    CompareRequest,
    CompareResponse,
    DeleteRequest,
    DeleteResponse,
    ExtendedRequest,
    Message,
    ModifyDNRequest,
    ModifyDNResponse,
    ModifyRequest,
    ModifyResponse,
    Response,
    Sasl,
    SearchRequest,
    SearchResultDone,
    SearchResultReference,
    Simple,
    utf8,
)
from quintet.ldap.sasl import ScramError, tls_server_end_point

_CONTROLS = (PagedResults.OID, ManageDsaIT.OID)
_OPEN_PAGES = 32


class Failure(Exception):
    """The operation ends with this result."""

    def __init__(self, code: int, diagnostic: str = "", matched_dn: str = "") -> None:
        super().__init__(code, diagnostic)
        self.result = Result(code, matched_dn, diagnostic)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the directory allows.

    `anonymous`: searches without a bind. `hidden`: attributes that only bound accounts see. `secure_binds`:
    no unencrypted password. `size_limit`: entries in one answer, 0 for no limit. `range_limit`: values of one
    attribute in one entry, as Active Directory has it; None for no limit. `scram`: whether SCRAM is offered.
    `root`: what the root DSE tells differently, as another product does; no values leave an attribute out.
    """

    anonymous: bool = True
    hidden: frozenset[str] = frozenset()
    secure_binds: bool = False
    size_limit: int = 0
    range_limit: int | None = None
    scram: bool = True
    root: Mapping[str, Sequence[str]] = field(default_factory=dict)


@final
@dataclass(slots=True)
class Conversation:
    """One client's conversation: who it is bound as, and its open pages."""

    tree: Tree
    rules: Rules
    offers_tls: bool
    certificate: bytes | None = None
    encrypted: bool = False
    bound: TreeEntry | None = None
    _pages: dict[bytes, tuple[SearchRequest, Iterator[TreeEntry | None]]] = field(default_factory=dict)
    _cookies: int = 0
    _exchange: Exchange | None = None

    def to(self, message: Message) -> Iterator[Message | None]:
        """The responses to a request, in order; None for each entry that a search looked at in vain."""
        try:
            if not isinstance(message.op, BindRequest):
                _check_controls(message.controls)
            match message.op:
                case BindRequest():
                    yield Message(message.id, self._bind(message.op))
                case SearchRequest():
                    yield from self._search(message.id, message.op, message.controls)
                case CompareRequest():
                    yield Message(message.id, CompareResponse(self._compare(message.op)))
                case ExtendedRequest():
                    yield Message(message.id, self._extended(message.op))
                case AddRequest() | DeleteRequest() | ModifyRequest() | ModifyDNRequest():
                    raise Failure(53, "the embedded directory cannot be changed")  # noqa: TRY301 (one way out)
        except Failure as failure:
            yield ending(message, failure.result)

    def _bind(self, request: BindRequest) -> BindResponse:
        self.bound = None
        self._pages.clear()
        if request.version != 3:
            raise Failure(2, "only version 3 of LDAP is spoken here")
        if not isinstance(request.authentication, Simple):
            return self._sasl(request.authentication)
        self._exchange = None
        password = request.authentication.password
        if not request.name and not password:
            if not self.rules.anonymous:
                raise Failure(48, "anonymous binds are not allowed")
            return BindResponse(Result())
        if not password:
            raise Failure(53, "a bind with a name and no password proves nothing")
        if self.rules.secure_binds and not self.encrypted:
            raise Failure(13, "passwords are only taken over TLS")
        name = parsed(request.name)
        if name is None:
            raise Failure(34, "this is no distinguished name")
        node = self.tree.get(name)
        if node is None or not node.has_password(password):
            raise Failure(49)
        self.bound = node
        return BindResponse(Result())

    def _sasl(self, step: Sasl) -> BindResponse:
        exchange, self._exchange = self._exchange, None
        if step.mechanism not in self._mechanisms():
            raise Failure(7, "there is no such mechanism here")
        try:
            if exchange is None or exchange.mechanism != step.mechanism:
                exchange = Exchange(self.tree, step.mechanism, self._binding())
            answer = exchange.answer(step.credentials or b"")
        except ScramError as failed:
            raise Failure(49, str(failed)) from None
        if exchange.node is None:
            self._exchange = exchange
            return BindResponse(Result(SASL_BIND_IN_PROGRESS), answer)
        self.bound = exchange.node
        return BindResponse(Result(), answer)

    def _mechanisms(self) -> Sequence[str]:
        return mechanisms(bound=self._binding() is not None) if self.rules.scram else ()

    def _binding(self) -> bytes | None:
        if not self.encrypted or self.certificate is None:
            return None
        return tls_server_end_point(self.certificate)

    def _compare(self, request: CompareRequest) -> Result:
        self._check_access()
        node = self._found(request.dn)
        key = attribute_key(request.attribute)
        if node is None or key in self._unseen() or not node.raw(key):
            raise Failure(16)
        return Result(COMPARE_TRUE if normal(key, request.value) in node.values(key) else COMPARE_FALSE)

    def _extended(self, request: ExtendedRequest) -> ExtendedResponse:
        if request.oid == WHO_AM_I:
            return ExtendedResponse(Result(), value=f"dn:{self.bound.name}".encode() if self.bound else b"")
        raise Failure(2, f"there is no operation {request.oid}")

    def _search(
        self, number: int, request: SearchRequest, controls: Sequence[Control]
    ) -> Iterator[Message | None]:
        if not request.base and request.scope == Scope.BASE:
            yield from self._root(number, request)
            return
        self._check_access()
        if request.scope > 2:
            raise Failure(2, "there is no such scope")
        page = _page(controls)
        cookie = page.cookie if page is not None else b""
        nodes = self._continued(request, cookie) if cookie else self._begun(request)
        follow = all(control.oid != ManageDsaIT.OID for control in controls)
        limits = [limit for limit in (request.size_limit, self.rules.size_limit) if limit]
        deadline = time.monotonic() + request.time_limit if request.time_limit else None
        sent, more = 0, False
        for node in nodes:
            if deadline is not None and time.monotonic() > deadline:
                raise Failure(3)
            if node is None:
                yield None
            elif page is not None and sent >= page.size:
                nodes, more = chain((node,), nodes), page.size > 0
                break
            elif limits and sent >= min(limits):
                raise Failure(4)
            else:
                sent += 1
                yield Message(number, self._shown(node, request, follow=follow))
        if page is None:
            yield Message(number, SearchResultDone(Result()))
            return
        cookie = self._kept(request, nodes) if more else b""
        yield Message(number, SearchResultDone(Result()), (PagedResults(0, cookie, critical=False),))

    def _root(self, number: int, request: SearchRequest) -> Iterator[Message]:
        told: Mapping[str, Sequence[str]] = {
            "objectClass": ["top"],
            "namingContexts": [node.name for node in self.tree.roots],
            "supportedLDAPVersion": ["3"],
            "supportedControl": _CONTROLS,
            "supportedExtension": [WHO_AM_I, START_TLS] if self.offers_tls else [WHO_AM_I],
            "supportedSASLMechanisms": self._mechanisms(),
            "vendorName": ["Quintet"],
            "vendorVersion": ["embedded directory"],
            **self.rules.root,
        }
        given = {name: [utf8(each) for each in values] for name, values in told.items() if values}
        root = TreeEntry(Entry("", given), 0)
        if compiled(request.filter, root.keys())(root):
            yield Message(number, self._shown(root, request, follow=False))
        yield Message(number, SearchResultDone(Result()))

    def _shown(self, node: TreeEntry, request: SearchRequest, *, follow: bool) -> Response:
        if follow and "referral" in node.values("objectclass"):
            return SearchResultReference(
                tuple(uri.decode("utf-8", "surrogateescape") for uri in node.raw("ref"))
            )
        shown = node.read(request.attributes, hidden=self._unseen(), range_limit=self.rules.range_limit)
        return Entry(node.name, {name: [] for name in shown} if request.types_only else shown)

    def _begun(self, request: SearchRequest) -> Iterator[TreeEntry | None]:
        return self.tree.search(
            self._found(request.base), request.scope, request.filter, hidden=self._unseen()
        )

    def _continued(self, request: SearchRequest, cookie: bytes) -> Iterator[TreeEntry | None]:
        first, nodes = self._pages.pop(cookie, (None, iter(())))
        if first is None or (first.base, first.filter) != (request.base, request.filter):
            raise Failure(53, "this cookie does not belong to this search")
        return nodes

    def _kept(self, request: SearchRequest, nodes: Iterator[TreeEntry | None]) -> bytes:
        while len(self._pages) >= _OPEN_PAGES:
            del self._pages[next(iter(self._pages))]
        self._cookies += 1
        cookie = str(self._cookies).encode()
        self._pages[cookie] = request, nodes
        return cookie

    def _found(self, name: str) -> TreeEntry | None:
        """The entry; None for the root, which is above all. Raises Failure when there is none."""
        dn = parsed(name)
        if dn is None:
            raise Failure(34, "this is no distinguished name")
        node = self.tree.get(dn)
        if node is None and dn:
            above = self.tree.nearest(dn)
            raise Failure(32, matched_dn=above.name if above else "")
        return node

    def _unseen(self) -> frozenset[str]:
        return NEVER_SHOWN if self.bound else NEVER_SHOWN | self.rules.hidden

    def _check_access(self) -> None:
        if not self.bound and not self.rules.anonymous:
            raise Failure(8, "bind first")


def ending(message: Message, result: Result) -> Message:
    """The response that ends the operation, with this result."""
    match message.op:
        case BindRequest():
            return Message(message.id, BindResponse(result))
        case SearchRequest():
            return Message(message.id, SearchResultDone(result))
        case CompareRequest():
            return Message(message.id, CompareResponse(result))
        case AddRequest():
            return Message(message.id, AddResponse(result))
        case DeleteRequest():
            return Message(message.id, DeleteResponse(result))
        case ModifyRequest():
            return Message(message.id, ModifyResponse(result))
        case ModifyDNRequest():
            return Message(message.id, ModifyDNResponse(result))
    return Message(message.id, ExtendedResponse(result))


def _check_controls(controls: Sequence[Control]) -> None:
    for control in controls:
        if control.critical and control.oid not in _CONTROLS:
            raise Failure(12, f"there is no control {control.oid}")


def _page(controls: Sequence[Control]) -> PagedResults | None:
    try:
        return PagedResults.find(controls)
    except RemoteProtocolError:
        raise Failure(2, "the control for paged results is malformed") from None
