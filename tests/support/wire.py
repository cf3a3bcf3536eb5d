"""LDAP by hand: a few requests in BER, and every byte of the answers.

For facts about real servers that OpenLDAP's programs do not show (tags, controls, what comes after what),
found without any code of Quintet. Blocking, one connection, small messages.
"""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from support.accounts import BindAnswer

PASSWORD_POLICY = "1.3.6.1.4.1.42.2.27.8.5.1"
PAGED_RESULTS = "1.2.840.113556.1.4.319"
WHO_AM_I = "1.3.6.1.4.1.4203.1.11.3"

BIND_RESPONSE, SEARCH_ENTRY, SEARCH_DONE, SEARCH_REFERENCE, EXTENDED_RESPONSE = 0x61, 0x64, 0x65, 0x73, 0x78
_PATIENCE = 20.0  # seconds
_POLICY_ERRORS = (
    *(
        "passwordExpired",
        "accountLocked",
        "changeAfterReset",
        "passwordModNotAllowed",
        "mustSupplyOldPassword",
    ),
    *("insufficientPasswordQuality", "passwordTooShort", "passwordTooYoung", "passwordInHistory"),
)


@dataclass(frozen=True, slots=True)
class Control:
    """A control of a request or a response."""

    oid: str
    value: bytes | None = None
    critical: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """One message of the server. `code` and `text` are of its LDAPResult, -1 and "" where it has none."""

    message_id: int
    tag: int
    body: bytes
    controls: tuple[Control, ...]

    @property
    def code(self) -> int:
        return (
            -1 if self.tag in {SEARCH_ENTRY, SEARCH_REFERENCE} else int.from_bytes(self._parts()[0][1], "big")
        )

    @property
    def text(self) -> str:
        return "" if self.code < 0 else self._parts()[2][1].decode()

    def _parts(self) -> list[tuple[int, bytes]]:
        return list(_elements(self.body))


class Wire:
    """A connection to a server: `ldap:`, or `ldaps:`, which is verified against `ca` when there is one."""

    def __init__(self, uri: str, ca: Path | None = None) -> None:
        self._id = 0
        self._rest = b""
        url = urlsplit(uri)
        assert url.hostname, uri
        port = url.port or (636 if url.scheme == "ldaps" else 389)
        self._socket = socket.create_connection((url.hostname, port), timeout=_PATIENCE)
        if url.scheme == "ldaps":
            context = ssl.create_default_context(cafile=str(ca)) if ca else ssl._create_unverified_context()
            self._socket = context.wrap_socket(self._socket, server_hostname=url.hostname)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def bind(self, dn: str, password: str, *controls: Control) -> Reply:
        """A simple bind; its response."""
        return self._last(_tlv(0x60, _integer(3), _utf8(dn), _utf8(password, 0x80)), controls)

    def search(
        self,
        base: str,
        *attributes: str,
        scope: int = 0,
        query: bytes = b"",
        size: int = 0,
        controls: tuple[Control, ...] = (),
    ) -> list[Reply]:
        """The responses to a search. `query` is a filter in BER; without it, all entries."""
        numbers = (_integer(scope, 0x0A), _integer(0, 0x0A), _integer(size), _integer(0))
        asked = _tlv(0x30, *map(_utf8, attributes))
        query = query or _utf8("objectClass", 0x87)
        return self.ask(_tlv(0x63, _utf8(base), *numbers, _tlv(1, b"\0"), query, asked), *controls)

    def compare(self, dn: str, attribute: str, value: str) -> Reply:
        """The response to a comparison: 6 is true, 5 is false."""
        return self._last(_tlv(0x6E, _utf8(dn), _tlv(0x30, _utf8(attribute), _utf8(value))), ())

    def extended(self, oid: str) -> Reply:
        """The response to an extended operation without a value."""
        return self._last(_tlv(0x77, _utf8(oid, 0x80)), ())

    def ask(self, operation: bytes, *controls: Control) -> list[Reply]:
        """Send an operation; its responses, the last of which ends it."""
        self.send(operation, *controls)
        replies = [self.receive()]
        while replies[-1].tag in {SEARCH_ENTRY, SEARCH_REFERENCE}:
            replies.append(self.receive())
        return replies

    def send(self, operation: bytes, *controls: Control) -> None:
        """Send an operation. Raises EOFError when the server closed the connection."""
        self._id += 1
        attached = _tlv(0xA0, *map(_control, controls)) if controls else b""
        try:
            self._socket.sendall(_tlv(0x30, _integer(self._id), operation, attached))
        except (ConnectionError, ssl.SSLEOFError):
            raise EOFError("the server closed the connection") from None

    def receive(self) -> Reply:
        """The next message. Raises EOFError when the server closed the connection."""
        while (size := _size(self._rest)) is None or len(self._rest) < size:
            try:
                more = self._socket.recv(65536)
            except (ConnectionError, ssl.SSLEOFError):
                more = b""
            if not more:
                raise EOFError("the server closed the connection")
            self._rest += more
        message, self._rest = self._rest[:size], self._rest[size:]
        ((_, content),) = _elements(message)
        (_, number), (tag, body), *attached = _elements(content)
        controls = tuple(_read_control(each) for _, value in attached for _, each in _elements(value))
        return Reply(int.from_bytes(number, "big"), tag, body, controls)

    def _last(self, operation: bytes, controls: tuple[Control, ...]) -> Reply:
        return self.ask(operation, *controls)[-1]


def bind(uri: str, ca: Path | None, dn: str, password: str) -> BindAnswer:
    """What the server answers to a simple bind that asks for the password policy's word, too."""
    with Wire(uri, ca) as wire:
        return answer_of(wire.bind(dn, password, Control(PASSWORD_POLICY)))


def answer_of(reply: Reply) -> BindAnswer:
    """A bind's response, without what differs from one second to the next."""
    policy = next((each.value for each in reply.controls if each.oid == PASSWORD_POLICY), None) or b""
    others = tuple(sorted(each.oid for each in reply.controls if each.oid != PASSWORD_POLICY))
    return BindAnswer(reply.code, reply.text, others, tuple(_policy(policy)))


def paged(size: int, cookie: bytes = b"") -> Control:
    """RFC 2696: the control that asks for a page."""
    return Control(PAGED_RESULTS, _tlv(0x30, _integer(size), _utf8(cookie)), critical=True)


def cookie_of(reply: Reply) -> bytes:
    """The cookie for the next page, empty after the last. Raises StopIteration without the control."""
    value = next(each.value for each in reply.controls if each.oid == PAGED_RESULTS)
    ((_, content),) = _elements(value or b"")
    _, (_, cookie) = _elements(content)
    return cookie


def equals(attribute: str, value: str | bytes) -> bytes:
    """The filter (attribute=value)."""
    return _tlv(0xA3, _utf8(attribute), _utf8(value))


def _policy(value: bytes) -> Iterator[str]:
    """The words of draft-behera-ldap-password-policy for a response control."""
    for _, content in _elements(value):
        for tag, part in _elements(content):
            if tag == 0x81:
                yield _POLICY_ERRORS[part[0]]
            else:
                for kind, _ in _elements(part):
                    yield "timeBeforeExpiration" if kind == 0x80 else "graceAuthNsRemaining"


def _control(control: Control) -> bytes:
    critical = _tlv(1, b"\xff") if control.critical else b""
    return _tlv(0x30, _utf8(control.oid), critical, b"" if control.value is None else _utf8(control.value))


def _read_control(content: bytes) -> Control:
    (_, oid), *more = _elements(content)
    return Control(oid.decode(), next((value for tag, value in more if tag == 4), None))


def _tlv(tag: int, *values: bytes) -> bytes:
    value = b"".join(values)
    if len(value) < 0x80:
        return bytes((tag, len(value))) + value
    length = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def _integer(value: int, tag: int = 2) -> bytes:
    return _tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _utf8(value: str | bytes, tag: int = 4) -> bytes:
    return _tlv(tag, value.encode() if isinstance(value, str) else value)


def _size(data: bytes) -> int | None:
    """The length of the element that `data` begins with, None when that is not to be seen yet."""
    head = _head(data)
    return None if head is None else sum(head)


def _head(data: bytes) -> tuple[int, int] | None:
    """The lengths of an element's tag and length, and of its value."""
    if len(data) < 2:
        return None
    more = data[1] & 0x7F if data[1] & 0x80 else 0
    if len(data) < 2 + more:
        return None
    return 2 + more, int.from_bytes(data[2 : 2 + more], "big") if more else data[1]


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        head = _head(data)
        assert head, data
        begins, size = head
        yield data[0], data[begins : begins + size]
        data = data[begins + size :]
