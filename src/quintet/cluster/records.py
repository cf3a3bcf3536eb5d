"""What nodes write about sessions and users: from values to bytes and back. Bytes of others are only data.

A session is a JSON array, short because there is one for each session of the community: what the place says
is not in it, and items at its end that have their default are left out. A later version can append some:
items that are not known are ignored, and what has another type makes the record unreadable. A privacy list is
what clients send. Both are sealed for the key and the field at which they stand, a session for its node too.
An unreadable value is None here; the caller counts it.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from quintet.cluster.valkey import Reply
from quintet.sametime.sharing import (
    LoginInfo,
    MalformedMessageError,
    Node,
    PrivacyInfo,
    SessionRecord,
    SharedSession,
    UserStatus,
    VersionedPrivacy,
    WireReader,
    id_digest,
    order_at,
    string,
)

LARGEST_VALUE: Final = 512 * 1024
"""Bytes of a value, before it is opened."""

DIGEST: Final = re.compile(rb"[\w-]{22}")
"""What `user_digest` gives."""

INDEX_PARTS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""With what a digest begins: the parts of an index."""

_LARGEST_NUMBER: Final = 2**53
_REQUIRED: Final = 6
_MOST_ATTRIBUTES: Final = 256
_LONGEST_NODE: Final = 255


class NamePlace(NamedTuple):
    """Where a login name is: a part of all, and 72 bits of its digest in base64."""

    part: str
    field: str


def user_digest(identifier: str) -> str:
    """The name of a user in keys: 128 bits of the digest of an ID, in base64."""
    return _base64(bytes.fromhex(id_digest(identifier))[:16])


def name_place(login_name: str) -> NamePlace:
    """Where this login name is. Two may have one place by chance: then one of them is not found."""
    digest = bytes.fromhex(id_digest(login_name))
    return NamePlace(digest[:1].hex(), _base64(digest[1:10]))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


class Sealing(Protocol):
    """Encrypts what is written, so that only nodes can write it, and only for its place."""

    def seal(self, data: bytes, context: bytes) -> bytes:
        """Encrypt for a place."""

    def open(self, blob: bytes, context: bytes) -> bytes | None:
        """Decrypt; None if no node has written this for the place."""


class UserField(NamedTuple):
    """A part of a user's value, and the node that a session in it names. The context of what is sealed there.

    No part that a node writes has a zero byte, so no two places have one context.
    """

    key: str
    field: str
    node: Node | None = None

    @property
    def context(self) -> bytes:
        return "\0".join((self.key, self.field, *(self.node or ()))).encode("utf-8", "surrogatepass")


class SessionValue(NamedTuple):
    """The value of a session: what scripts read of it, and the sealed record.

    `moving` is 0, or until when, in milliseconds of Valkey's clock, the session is shown.
    """

    node: Node
    moving: int
    blob: bytes


@dataclass(frozen=True, slots=True)
class UserChange:
    """One item of a publication: the privacy list or a session, by its login id, was written or removed."""

    kind: str
    name: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Publication:
    """What one script changed of a user: `before` is the sequence number that it found."""

    before: int
    after: int
    changes: tuple[UserChange, ...]


@dataclass(frozen=True, slots=True)
class UserSnapshot:
    """What there is of a user. `now` is Valkey's time in milliseconds."""

    seq: int
    now: int
    privacy: bytes | None = field(repr=False)
    sessions: Mapping[str, bytes] = field(repr=False)


# Sessions


def encode_session(session: SharedSession, node: Node) -> bytes:
    """The record of a session that `node` writes, without what scripts know of it."""
    record, login, status = session.record, session.record.login, session.record.status
    values = [
        login.client_type,
        login.user_id,
        login.user_name,
        record.login_name,
        record.connected_at,
        status.status,
        login.address,
        session.order - order_at(record.connected_at),
        status.text,
        record.last_active,
        status.time,
        [
            [key, order, base64.b64encode(value).decode("ascii")]
            for key, (order, value) in sorted(session.attributes.items())
        ],
        sorted(session.unsupported),
        login.community,
        login.description,
        login.server_id,
    ]
    defaults = _defaults(node, record.connected_at)
    while defaults and values[-1] == defaults[-1]:
        values.pop()
        defaults.pop()
    return json.dumps(values, separators=(",", ":")).encode("ascii")


def decode_session(data: bytes, node: Node, session: str, *, moving: bool = False) -> SharedSession | None:
    """The session of a record that `node` has written; None if it is not one."""
    try:
        values = json.loads(data)
        connected_at = _seconds(values[4])
        defaults = _defaults(node, connected_at)
        values += defaults[len(values) - _REQUIRED :]
        client_type, user_id, user_name, login_name, _, status, address, later, *rest = values
        text, last_active, time, attributes, unsupported, community, description, server_id, *_ = rest
        login = LoginInfo(
            session,
            _number(client_type, 0xFFFF),
            _text(user_id),
            _text(user_name),
            _text(community),
            description=_text(description),
            address=_number(address, 0xFFFFFFFF),
            server_id=_text(server_id),
        )
        login.check_fit_to_send()
        record = SessionRecord(
            node,
            login,
            _text(login_name),
            connected_at,
            _seconds(last_active),
            UserStatus(_number(status, 0xFFFF), _number(time, 0xFFFFFFFF), _text(text)),
        )
        return SharedSession(
            record,
            _number(order_at(connected_at) + later),
            {
                _number(key, 0xFFFFFFFF): (_number(since), base64.b64decode(_text(value), validate=True))
                for key, since, value in attributes[:_MOST_ATTRIBUTES]
            },
            frozenset([_number(each, 0xFFFFFFFF) for each in unsupported]),
            moving,
        )
    except (ValueError, TypeError, LookupError, RecursionError, AttributeError):
        return None


def _defaults(node: Node, connected_at: float) -> list[object]:
    """What the last items of a record are if they are not there."""
    return [0, 0, "", connected_at, 0, [], [], "", "", node.name]


def session_value(value: bytes) -> SessionValue | None:
    """The parts of a session's value; None if it is none."""
    if len(value) > LARGEST_VALUE:
        return None
    parts = value.split(b"|", 4)
    if len(parts) < 5 or not parts[2].isdigit() or len(parts[2]) > 16 or len(parts[0]) > _LONGEST_NODE:
        return None
    try:
        node = Node(parts[0].decode(), parts[1].decode())
    except UnicodeDecodeError:
        return None
    return SessionValue(node, int(parts[2]), parts[4])


# Privacy lists


def privacy_value(key: str, stored: VersionedPrivacy, sealing: Sealing) -> bytes:
    """The value of the privacy list of the user with this key."""
    place = UserField(key, f"p{stored.version}")
    return f"{stored.version}|".encode() + sealing.seal(stored.privacy.encode(), place.context)


def open_privacy(key: str, value: bytes, sealing: Sealing) -> VersionedPrivacy | None:
    """The privacy list in a value; None if there is none."""
    version, _, blob = value.partition(b"|")
    if len(value) > LARGEST_VALUE or not version.isdigit() or len(version) > 16:
        return None
    data = sealing.open(blob, UserField(key, f"p{int(version)}").context)
    if data is None:
        return None
    try:
        return VersionedPrivacy(int(version), PrivacyInfo.read(WireReader(data)))
    except MalformedMessageError:
        return None


# What scripts answer and publish


def read_publication(data: bytes) -> Publication | None:
    """A publication; None if it is none. Items of a kind that is not known are left to the caller."""
    head, newline, rest = data.partition(b"\n")
    numbers = head.split(b" ")
    if not newline or len(numbers) != 2 or not all(each.isdigit() and len(each) < 17 for each in numbers):
        return None
    try:
        changes = tuple(_changes(rest))
    except (ValueError, IndexError):
        return None
    return Publication(int(numbers[0]), int(numbers[1]), changes)


def read_snapshot(reply: Reply) -> UserSnapshot | None:
    """What `READ` answers; None if it is something else."""
    found = read_publication(reply) if isinstance(reply, bytes) else None
    if found is None:
        return None
    lists = [each.value for each in found.changes if each.kind == "P"]
    sessions = {each.name: each.value for each in found.changes if each.kind == "S"}
    return UserSnapshot(found.before, found.after, lists[0] if lists else None, sessions)


def _changes(data: bytes) -> Iterator[UserChange]:
    at = 0
    while at < len(data):
        first = data.index(b":", at, at + 12)
        second = data.index(b":", first + 1, first + 12)
        kind = chr(data[at])
        middle = second + 1 + int(data[at + 1 : first])
        at = middle + int(data[first + 1 : second])
        if not second < middle <= at <= len(data):
            raise ValueError
        name = data[second + 1 : middle].decode("utf-8", "surrogateescape")
        yield UserChange(kind, name, data[middle:at])


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    string(value)  # what cannot be sent to a client is refused here
    return value


def _number(value: object, most: int = _LARGEST_NUMBER) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError
    return value


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError
    if not 0 <= value < _LARGEST_NUMBER:  # before it becomes a float, which overflows
        raise ValueError
    return float(value)
