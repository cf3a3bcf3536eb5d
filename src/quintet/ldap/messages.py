"""The messages of LDAP (RFC 4511 section 4) as values, and both ways between them and BER.

Requests and responses alike, so that it serves clients and servers: an interface of its own for programs that
work on the protocol itself, as servers, test tools and readers of recorded traffic do. `_fast_codec` has
quicker functions for what happens thousands of times a second.

Text is UTF-8; bytes that are not are surrogates (PEP 383). Elements that a later version of the protocol may
add at the end of a message are skipped (RFC 4511 section 4).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from quintet.ldap import ber
from quintet.ldap.arguments import Scope
from quintet.ldap.ber import ELEMENTS, MAX_INT, NESTING, BerError, Reader, header, octet_string, tlv
from quintet.ldap.filter_tree import Filter
from quintet.ldap.filter_tree import decode as decode_filter
from quintet.ldap.modifications import (
    Modification,
    encode_attribute,
    encode_modification,
    read_attribute,
    read_modification,
)
from quintet.ldap.results import Control, Entry, Result, shown_values

__all__ = [
    "BASE_OBJECT",
    "COMPARE_FALSE",
    "COMPARE_TRUE",
    "MAX_INT",
    "NOTICE_OF_DISCONNECTION",
    "SASL_BIND_IN_PROGRESS",
    "SINGLE_LEVEL",
    "START_TLS",
    "SUCCESS",
    "WHOLE_SUBTREE",
    "WHO_AM_I",
    "AbandonRequest",
    "AddRequest",
    "AddResponse",
    "BerError",
    "BindRequest",
    "BindResponse",
    "CompareRequest",
    "CompareResponse",
    "Control",
    "DeleteRequest",
    "DeleteResponse",
    "Entry",
    "ExtendedRequest",
    "ExtendedResponse",
    "FinalResponse",
    "IntermediateResponse",
    "Message",
    "ModifyDNRequest",
    "ModifyDNResponse",
    "ModifyRequest",
    "ModifyResponse",
    "Operation",
    "Request",
    "Response",
    "Result",
    "Sasl",
    "SearchRequest",
    "SearchResultDone",
    "SearchResultEntry",
    "SearchResultReference",
    "Simple",
    "UnbindRequest",
    "attribute_list",
    "decode",
    "decode_content",
    "decode_filter",
    "encode",
    "encode_controls",
    "encode_entry",
    "envelope",
    "header",
    "read_entry",
    "search_head",
    "utf8",
]


BASE_OBJECT: Final = Scope.BASE
SINGLE_LEVEL: Final = Scope.ONE_LEVEL
WHOLE_SUBTREE: Final = Scope.SUBTREE

_MOST_CONTROLS: Final = 100
"""Of one message. No server sends as many, and each costs far more time than its few bytes."""

SUCCESS: Final = 0
COMPARE_FALSE: Final = 5
COMPARE_TRUE: Final = 6
SASL_BIND_IN_PROGRESS: Final = 14

NOTICE_OF_DISCONNECTION: Final = "1.3.6.1.4.1.1466.20036"
START_TLS: Final = "1.3.6.1.4.1.1466.20037"
WHO_AM_I: Final = "1.3.6.1.4.1.4203.1.11.3"


@dataclass(frozen=True, slots=True)
class Simple:
    """A password as it is. No `repr` shows it."""

    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sasl:
    """One step of a SASL exchange. No `repr` shows the credentials."""

    mechanism: str
    credentials: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class BindRequest:
    name: str
    authentication: Simple | Sasl
    version: int = 3


@dataclass(frozen=True, slots=True)
class BindResponse:
    result: Result
    server_credentials: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class UnbindRequest:
    pass


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """RFC 4511 section 4.5.1. `scope` is one of `Scope`, `deref` one of `Deref`."""

    base: str
    scope: int
    filter: Filter
    attributes: tuple[str, ...] = ()
    deref: int = 0
    size_limit: int = 0
    time_limit: int = 0
    types_only: bool = False


SearchResultEntry = Entry
"""The message that brings an entry is the entry."""


@dataclass(frozen=True, slots=True)
class SearchResultReference:
    """Where the search continues: LDAP URLs of one and the same place (RFC 4511 section 4.5.3)."""

    uris: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchResultDone:
    result: Result


@dataclass(frozen=True, slots=True)
class ModifyRequest:
    """RFC 4511 section 4.6."""

    dn: str
    changes: tuple[Modification, ...]


@dataclass(frozen=True, slots=True)
class ModifyResponse:
    result: Result


@dataclass(frozen=True, slots=True)
class AddRequest:
    """RFC 4511 section 4.7."""

    dn: str
    attributes: dict[str, list[bytes]]

    def __repr__(self) -> str:
        return f"AddRequest({self.dn!r}, {shown_values(self.attributes)})"


@dataclass(frozen=True, slots=True)
class AddResponse:
    result: Result


@dataclass(frozen=True, slots=True)
class DeleteRequest:
    """RFC 4511 section 4.8."""

    dn: str


@dataclass(frozen=True, slots=True)
class DeleteResponse:
    result: Result


@dataclass(frozen=True, slots=True)
class ModifyDNRequest:
    """RFC 4511 section 4.9."""

    dn: str
    new_rdn: str
    delete_old_rdn: bool = True
    new_superior: str | None = None


@dataclass(frozen=True, slots=True)
class ModifyDNResponse:
    result: Result


@dataclass(frozen=True, slots=True)
class CompareRequest:
    dn: str
    attribute: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CompareResponse:
    result: Result


@dataclass(frozen=True, slots=True)
class ExtendedRequest:
    """RFC 4511 section 4.12. No `repr` shows the value: some have passwords."""

    oid: str
    value: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ExtendedResponse:
    """The answer to an extended operation (RFC 4511 section 4.12).

    Attributes:
        result: How the operation ended.
        oid: The name of the answer; None if it has none.
        value: The value in the form that the operation defines; None if there is none. No `repr` shows it.
    """

    result: Result
    oid: str | None = None
    value: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class IntermediateResponse:
    oid: str | None = None
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class AbandonRequest:
    message_id: int


Request = (
    BindRequest
    | UnbindRequest
    | SearchRequest
    | ModifyRequest
    | AddRequest
    | DeleteRequest
    | ModifyDNRequest
    | CompareRequest
    | AbandonRequest
    | ExtendedRequest
)
FinalResponse = (
    BindResponse
    | ModifyResponse
    | AddResponse
    | DeleteResponse
    | ModifyDNResponse
    | CompareResponse
    | ExtendedResponse
)
"""The only answer to a request, or the last after intermediate responses. Searches have their own."""

Response = FinalResponse | Entry | SearchResultReference | SearchResultDone | IntermediateResponse
Operation = Request | Response


@dataclass(frozen=True, slots=True)
class Message:
    """RFC 4511 section 4.1.1. Id 0 is for what a server sends without a request."""

    id: int
    op: Operation
    controls: tuple[Control, ...] = ()


def encode(message: Message) -> bytes:
    return envelope(message.id, _ENCODERS[type(message.op)](message.op), message.controls)


def envelope(message_id: int, op: bytes, controls: tuple[Control, ...] = ()) -> bytes:
    """The whole message around an operation that is BER already."""
    if controls:
        return tlv(0x30, ber.integer(message_id), op, encode_controls(controls))
    return tlv(0x30, ber.integer(message_id), op)


def encode_controls(controls: tuple[Control, ...]) -> bytes:
    return tlv(0xA0, *map(_control, controls))


def decode(data: bytes, *, nesting: int = NESTING) -> Message:
    """The message that `data` is, to its last byte. Raises BerError for anything else."""
    tag, start, stop = header(data, 0, len(data))
    if tag != 0x30 or stop != len(data):
        raise BerError("not one LDAP message")
    return decode_content(data, start, stop, nesting)


def decode_content(
    data: bytes, start: int, stop: int, nesting: int = NESTING, elements: int = ELEMENTS
) -> Message:
    """The message whose outermost element has its content at `data[start:stop]`."""
    ber.check_elements(data, start, stop, nesting, elements)
    reader = Reader(data, start, stop)
    message_id = reader.integer()
    tag, op_start, op_stop = reader.any()
    decoder = _DECODERS.get(tag)
    if decoder is None:
        raise BerError(f"no operation has the tag {tag:#04x}")
    op = decoder(Reader(data, op_start, op_stop))
    controls: tuple[Control, ...] = ()
    if reader.next_is(0xA0):
        inner = reader.inside(0xA0)
        controls = tuple(_decode_control(each) for each in islice(inner.each(), _MOST_CONTROLS))
        if inner:
            raise BerError(f"a message with more than {_MOST_CONTROLS} controls")
        if isinstance(op, Entry):
            op = op.with_controls(controls)
    return Message(message_id, op, controls)


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def attribute_list(attributes: tuple[str, ...]) -> bytes:
    return tlv(0x30, *(octet_string(utf8(each)) for each in attributes))


def search_head(op: SearchRequest) -> bytes:
    """What stands before the filter of a search request."""
    return b"".join(
        (
            octet_string(utf8(op.base)),
            ber.enumerated(op.scope),
            ber.enumerated(op.deref),
            ber.integer(op.size_limit),
            ber.integer(op.time_limit),
            ber.boolean(op.types_only),
        )
    )


def _text(text: str, tag: int = 0x04) -> bytes:
    return octet_string(utf8(text), tag)


def _optional(data: bytes | None, tag: int) -> bytes:
    return b"" if data is None else octet_string(data, tag)


def _optional_text(text: str | None, tag: int) -> bytes:
    return b"" if text is None else _text(text, tag)


def _control(control: Control) -> bytes:
    critical = ber.boolean(True) if control.critical else b""
    return tlv(0x30, _text(control.oid), critical, _optional(control.value, 0x04))


def _decode_control(reader: Reader) -> Control:
    oid = reader.text()
    critical = reader.boolean() if reader.next_is(0x01) else False
    return Control(oid, critical, reader.octet_string() if reader.next_is(0x04) else None)


def _result(result: Result) -> bytes:
    """COMPONENTS OF LDAPResult."""
    referrals = tlv(0xA3, *map(_text, result.referrals)) if result.referrals else b""
    return ber.enumerated(result.code) + _text(result.matched_dn) + _text(result.diagnostic) + referrals


def _decode_result(reader: Reader) -> Result:
    code, matched_dn, diagnostic = reader.integer(0x0A), reader.text(), reader.text()
    return Result(code, matched_dn, diagnostic, reader.inside(0xA3).texts() if reader.next_is(0xA3) else ())


def _encode_bind(op: BindRequest) -> bytes:
    match op.authentication:
        case Simple(password):
            authentication = octet_string(password, 0x80)
        case Sasl(mechanism, credentials):
            authentication = tlv(0xA3, _text(mechanism), _optional(credentials, 0x04))
    return tlv(0x60, ber.integer(op.version), _text(op.name), authentication)


def _decode_bind(reader: Reader) -> BindRequest:
    version, name = reader.integer(), reader.text()
    if reader.next_is(0x80):
        return BindRequest(name, Simple(reader.octet_string(0x80)), version)
    sasl = reader.inside(0xA3)
    mechanism = sasl.text()
    return BindRequest(name, Sasl(mechanism, sasl.octet_string() if sasl else None), version)


def _encode_search(op: SearchRequest) -> bytes:
    return tlv(0x63, search_head(op), op.filter.encode(), attribute_list(op.attributes))


def _decode_search(reader: Reader) -> SearchRequest:
    base, scope, deref = reader.text(), reader.integer(0x0A), reader.integer(0x0A)
    size_limit, time_limit, types_only = reader.integer(), reader.integer(), reader.boolean()
    at = reader.at
    reader.any()
    tree = decode_filter(reader.data[at : reader.at])
    attributes = reader.inside().texts()
    return SearchRequest(base, scope, tree, attributes, deref, size_limit, time_limit, types_only)


def encode_entry(op: Entry) -> bytes:
    return tlv(0x64, _text(op.dn), _attributes(op.attributes))


def read_entry(reader: Reader) -> Entry:
    """The content of a search result entry. Raises BerError."""
    return Entry(reader.text(), _read_attributes(reader))


def _attributes(attributes: dict[str, list[bytes]]) -> bytes:
    return tlv(0x30, *(encode_attribute(name, values) for name, values in attributes.items()))


def _read_attributes(reader: Reader) -> dict[str, list[bytes]]:
    attributes: dict[str, list[bytes]] = {}
    for attribute in reader.inside().each():
        name, values = read_attribute(attribute)
        attributes.setdefault(name, []).extend(values)
    return attributes


def _encode_modify(op: ModifyRequest) -> bytes:
    return tlv(0x66, _text(op.dn), tlv(0x30, *map(encode_modification, op.changes)))


def _decode_modify(reader: Reader) -> ModifyRequest:
    return ModifyRequest(reader.text(), tuple(map(read_modification, reader.inside().each())))


def _decode_add(reader: Reader) -> AddRequest:
    return AddRequest(reader.text(), _read_attributes(reader))


def _encode_modify_dn(op: ModifyDNRequest) -> bytes:
    superior = _optional_text(op.new_superior, 0x80)
    return tlv(0x6C, _text(op.dn), _text(op.new_rdn), ber.boolean(op.delete_old_rdn), superior)


def _decode_modify_dn(reader: Reader) -> ModifyDNRequest:
    dn, rdn, delete_old = reader.text(), reader.text(), reader.boolean()
    return ModifyDNRequest(dn, rdn, delete_old, reader.text(0x80) if reader.next_is(0x80) else None)


def _encode_extended_request(op: ExtendedRequest) -> bytes:
    return tlv(0x77, _text(op.oid, 0x80), _optional(op.value, 0x81))


def _decode_extended_request(reader: Reader) -> ExtendedRequest:
    return ExtendedRequest(reader.text(0x80), reader.octet_string(0x81) if reader.next_is(0x81) else None)


def _decode_extended_response(reader: Reader) -> ExtendedResponse:
    result = _decode_result(reader)
    oid = reader.text(0x8A) if reader.next_is(0x8A) else None
    return ExtendedResponse(result, oid, reader.octet_string(0x8B) if reader.next_is(0x8B) else None)


def _decode_intermediate(reader: Reader) -> IntermediateResponse:
    oid = reader.text(0x80) if reader.next_is(0x80) else None
    return IntermediateResponse(oid, reader.octet_string(0x81) if reader.next_is(0x81) else None)


def _decode_bind_response(reader: Reader) -> BindResponse:
    result = _decode_result(reader)
    return BindResponse(result, reader.octet_string(0x87) if reader.next_is(0x87) else None)


def _encode_compare(op: CompareRequest) -> bytes:
    return tlv(0x6E, _text(op.dn), tlv(0x30, _text(op.attribute), octet_string(op.value)))


def _decode_compare(reader: Reader) -> CompareRequest:
    dn, assertion = reader.text(), reader.inside()
    return CompareRequest(dn, assertion.text(), assertion.octet_string())


def _decode_abandon(reader: Reader) -> AbandonRequest:
    content = reader.data[reader.at : reader.end]
    return AbandonRequest(Reader(octet_string(content, 0x02)).integer())


def _decode_delete(reader: Reader) -> DeleteRequest:
    return DeleteRequest(reader.data[reader.at : reader.end].decode("utf-8", "surrogateescape"))


def _encode_reference(op: SearchResultReference) -> bytes:
    return tlv(0x73, *map(_text, op.uris))


_ENCODERS: dict[type, Callable[..., bytes]] = {
    BindRequest: _encode_bind,
    BindResponse: lambda op: tlv(0x61, _result(op.result), _optional(op.server_credentials, 0x87)),
    UnbindRequest: lambda _: b"\x42\x00",
    SearchRequest: _encode_search,
    Entry: encode_entry,
    SearchResultReference: _encode_reference,
    SearchResultDone: lambda op: tlv(0x65, _result(op.result)),
    ModifyRequest: _encode_modify,
    ModifyResponse: lambda op: tlv(0x67, _result(op.result)),
    AddRequest: lambda op: tlv(0x68, _text(op.dn), _attributes(op.attributes)),
    AddResponse: lambda op: tlv(0x69, _result(op.result)),
    DeleteRequest: lambda op: _text(op.dn, 0x4A),
    DeleteResponse: lambda op: tlv(0x6B, _result(op.result)),
    ModifyDNRequest: _encode_modify_dn,
    ModifyDNResponse: lambda op: tlv(0x6D, _result(op.result)),
    CompareRequest: _encode_compare,
    CompareResponse: lambda op: tlv(0x6F, _result(op.result)),
    ExtendedRequest: _encode_extended_request,
    ExtendedResponse: lambda op: tlv(
        0x78, _result(op.result), _optional_text(op.oid, 0x8A), _optional(op.value, 0x8B)
    ),
    IntermediateResponse: lambda op: tlv(0x79, _optional_text(op.oid, 0x80), _optional(op.value, 0x81)),
    AbandonRequest: lambda op: ber.integer(op.message_id, 0x50),
}

_DECODERS: dict[int, Callable[[Reader], Operation]] = {
    0x60: _decode_bind,
    0x61: _decode_bind_response,
    0x42: lambda _: UnbindRequest(),
    0x63: _decode_search,
    0x64: read_entry,
    0x73: lambda reader: SearchResultReference(reader.texts()),
    0x65: lambda reader: SearchResultDone(_decode_result(reader)),
    0x66: _decode_modify,
    0x67: lambda reader: ModifyResponse(_decode_result(reader)),
    0x68: _decode_add,
    0x69: lambda reader: AddResponse(_decode_result(reader)),
    0x4A: _decode_delete,
    0x6B: lambda reader: DeleteResponse(_decode_result(reader)),
    0x6C: _decode_modify_dn,
    0x6D: lambda reader: ModifyDNResponse(_decode_result(reader)),
    0x6E: _decode_compare,
    0x6F: lambda reader: CompareResponse(_decode_result(reader)),
    0x77: _decode_extended_request,
    0x78: _decode_extended_response,
    0x79: _decode_intermediate,
    0x50: _decode_abandon,
}
