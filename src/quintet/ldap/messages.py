"""The messages of LDAP (RFC 4511 section 4) as values, and both ways between them and BER.

Requests and responses alike, so that it serves clients and servers. What changes directories (add, modify,
delete, rename) is left out: Quintet only reads. `fast` has quicker functions for searches.

Text is UTF-8; octets that are none travel as surrogates (PEP 383). Elements that a later version of the
protocol may add at the end of a message are skipped (RFC 4511 section 4).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from quintet.ldap import ber
from quintet.ldap.ber import ELEMENTS, NESTING, BerError, Reader, octets, tlv
from quintet.ldap.filter_tree import Filter
from quintet.ldap.filter_tree import decode as decode_filter

BASE_OBJECT: Final = 0
SINGLE_LEVEL: Final = 1
WHOLE_SUBTREE: Final = 2

_MOST_CONTROLS: Final = 100
"""Of one message. Nobody has as many to say, and each costs far more than its few octets."""

SUCCESS: Final = 0
COMPARE_FALSE: Final = 5
COMPARE_TRUE: Final = 6
SASL_BIND_IN_PROGRESS: Final = 14

NOTICE_OF_DISCONNECTION: Final = "1.3.6.1.4.1.1466.20036"
START_TLS: Final = "1.3.6.1.4.1.1466.20037"
WHO_AM_I: Final = "1.3.6.1.4.1.4203.1.11.3"


@dataclass(frozen=True, slots=True)
class Control:
    """RFC 4511 4.1.11."""

    oid: str
    critical: bool = False
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How an operation ended (RFC 4511 4.1.9)."""

    code: int = SUCCESS
    matched_dn: str = ""
    diagnostic: str = ""
    referrals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Simple:
    """A password as it is. It never shows in a repr."""

    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sasl:
    """One step of a SASL exchange. The credentials never show in a repr."""

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
    """RFC 4511 4.5.1. `scope` is 0 (the base alone), 1 (one level) or 2 (the subtree)."""

    base: str
    scope: int
    filter: Filter
    attributes: tuple[str, ...] = ()
    deref: int = 0
    size_limit: int = 0
    time_limit: int = 0
    types_only: bool = False


@dataclass(slots=True)
class SearchResultEntry:
    """One entry. Attributes are named as the server wrote them; their values are bytes.

    Not frozen: a frozen one takes twice as long to make, and these come by the thousand.
    """

    dn: str
    attributes: dict[str, list[bytes]]


@dataclass(frozen=True, slots=True)
class SearchResultReference:
    """Where the search goes on: LDAP URLs of one and the same place (RFC 4511 4.5.3)."""

    uris: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchResultDone:
    result: Result


@dataclass(frozen=True, slots=True)
class CompareRequest:
    dn: str
    attribute: str
    value: bytes


@dataclass(frozen=True, slots=True)
class CompareResponse:
    result: Result


@dataclass(frozen=True, slots=True)
class ExtendedRequest:
    oid: str
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class ExtendedResponse:
    result: Result
    oid: str | None = None
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class IntermediateResponse:
    oid: str | None = None
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class AbandonRequest:
    message_id: int


Request = BindRequest | UnbindRequest | SearchRequest | CompareRequest | ExtendedRequest | AbandonRequest
Response = (
    BindResponse
    | SearchResultEntry
    | SearchResultReference
    | SearchResultDone
    | CompareResponse
    | ExtendedResponse
    | IntermediateResponse
)
Operation = Request | Response


@dataclass(frozen=True, slots=True)
class Message:
    """RFC 4511 4.1.1. Id 0 is for what a server says unasked."""

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
    """The message that `data` is, to its last octet. Raises BerError for anything else."""
    tag, start, stop = ber.header(data, 0, len(data))
    if tag != 0x30 or stop != len(data):
        raise BerError("this is not one LDAP message")
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
    return Message(message_id, op, controls)


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def attribute_list(attributes: tuple[str, ...]) -> bytes:
    return tlv(0x30, *(octets(utf8(each)) for each in attributes))


def search_head(op: SearchRequest) -> bytes:
    """What stands before the filter of a search request."""
    return b"".join(
        (
            octets(utf8(op.base)),
            ber.enumerated(op.scope),
            ber.enumerated(op.deref),
            ber.integer(op.size_limit),
            ber.integer(op.time_limit),
            ber.boolean(op.types_only),
        )
    )


def _text(text: str, tag: int = 0x04) -> bytes:
    return octets(utf8(text), tag)


def _optional(data: bytes | None, tag: int) -> bytes:
    return b"" if data is None else octets(data, tag)


def _optional_text(text: str | None, tag: int) -> bytes:
    return b"" if text is None else _text(text, tag)


def _control(control: Control) -> bytes:
    critical = ber.boolean(True) if control.critical else b""
    return tlv(0x30, _text(control.oid), critical, _optional(control.value, 0x04))


def _decode_control(reader: Reader) -> Control:
    oid = reader.text()
    critical = reader.boolean() if reader.next_is(0x01) else False
    return Control(oid, critical, reader.octets() if reader.next_is(0x04) else None)


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
            authentication = octets(password, 0x80)
        case Sasl(mechanism, credentials):
            authentication = tlv(0xA3, _text(mechanism), _optional(credentials, 0x04))
    return tlv(0x60, ber.integer(op.version), _text(op.name), authentication)


def _decode_bind(reader: Reader) -> BindRequest:
    version, name = reader.integer(), reader.text()
    if reader.next_is(0x80):
        return BindRequest(name, Simple(reader.octets(0x80)), version)
    sasl = reader.inside(0xA3)
    mechanism = sasl.text()
    return BindRequest(name, Sasl(mechanism, sasl.octets() if sasl else None), version)


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


def _encode_entry(op: SearchResultEntry) -> bytes:
    attributes = [
        tlv(0x30, _text(name), tlv(0x31, *map(octets, values))) for name, values in op.attributes.items()
    ]
    return tlv(0x64, _text(op.dn), tlv(0x30, *attributes))


def _decode_entry(reader: Reader) -> SearchResultEntry:
    dn = reader.text()
    attributes: dict[str, list[bytes]] = {}
    for attribute in reader.inside().each():
        name = attribute.text()
        values = attribute.inside(0x31)
        found = attributes.setdefault(name, [])
        while values:
            found.append(values.octets())
    return SearchResultEntry(dn, attributes)


def _encode_extended_request(op: ExtendedRequest) -> bytes:
    return tlv(0x77, _text(op.oid, 0x80), _optional(op.value, 0x81))


def _decode_extended_request(reader: Reader) -> ExtendedRequest:
    return ExtendedRequest(reader.text(0x80), reader.octets(0x81) if reader.next_is(0x81) else None)


def _decode_extended_response(reader: Reader) -> ExtendedResponse:
    result = _decode_result(reader)
    oid = reader.text(0x8A) if reader.next_is(0x8A) else None
    return ExtendedResponse(result, oid, reader.octets(0x8B) if reader.next_is(0x8B) else None)


def _decode_intermediate(reader: Reader) -> IntermediateResponse:
    oid = reader.text(0x80) if reader.next_is(0x80) else None
    return IntermediateResponse(oid, reader.octets(0x81) if reader.next_is(0x81) else None)


def _decode_bind_response(reader: Reader) -> BindResponse:
    result = _decode_result(reader)
    return BindResponse(result, reader.octets(0x87) if reader.next_is(0x87) else None)


def _encode_compare(op: CompareRequest) -> bytes:
    return tlv(0x6E, _text(op.dn), tlv(0x30, _text(op.attribute), octets(op.value)))


def _decode_compare(reader: Reader) -> CompareRequest:
    dn, assertion = reader.text(), reader.inside()
    return CompareRequest(dn, assertion.text(), assertion.octets())


def _decode_abandon(reader: Reader) -> AbandonRequest:
    content = reader.data[reader.at : reader.end]
    return AbandonRequest(Reader(octets(content, 0x02)).integer())


def _encode_reference(op: SearchResultReference) -> bytes:
    return tlv(0x73, *map(_text, op.uris))


_ENCODERS: dict[type, Callable[..., bytes]] = {
    BindRequest: _encode_bind,
    BindResponse: lambda op: tlv(0x61, _result(op.result), _optional(op.server_credentials, 0x87)),
    UnbindRequest: lambda _: b"\x42\x00",
    SearchRequest: _encode_search,
    SearchResultEntry: _encode_entry,
    SearchResultReference: _encode_reference,
    SearchResultDone: lambda op: tlv(0x65, _result(op.result)),
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
    0x64: _decode_entry,
    0x73: lambda reader: SearchResultReference(reader.texts()),
    0x65: lambda reader: SearchResultDone(_decode_result(reader)),
    0x6E: _decode_compare,
    0x6F: lambda reader: CompareResponse(_decode_result(reader)),
    0x77: _decode_extended_request,
    0x78: _decode_extended_response,
    0x79: _decode_intermediate,
    0x50: _decode_abandon,
}
