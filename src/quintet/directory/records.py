"""What the tasks answer: people, groups and containers. LDAP entries stay below this module."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from quintet.directory.services import Service
from quintet.ldap import ConnectionState


@dataclass(frozen=True, slots=True)
class Person:
    """A person in the directory. `id` is the Sametime ID: the DN, or the value of `UserIdAttribute`.

    `description` tells people of similar names apart (`DescAttribute`, row C88); None where it is not set.
    """

    id: str
    dn: str
    name: str
    mail: str | None
    server: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A public group. `id` is its DN. `description` is as a person's, of `GroupDescAttribute`."""

    id: str
    dn: str
    name: str
    server: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class VerifiedPerson:
    """A person who signed in, with what applications may grant something for.

    `groups` are the person's groups, and `attributes` the values of the attributes that were asked for. Both
    came over encrypted connections, unless the caller allowed others; `groups` is None when they could not.
    """

    person: Person
    groups: tuple[Group, ...] | None = None
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Container:
    """A place that holds other entries: a unit, a base."""

    dn: str
    name: str
    server: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """The answer to "add person or group".

    `exact` when there is one match whose name (or mail, or ID) is the name as typed. `complete` is False when
    a server could not be asked (`unavailable` names them), when a limit, ours or a server's, cut the list
    (`truncated`), or when a server has no such base as is configured (`missing_bases` says which).
    """

    matches: tuple[Person | Group, ...]
    exact: bool
    complete: bool
    truncated: bool = False
    unavailable: tuple[str, ...] = ()
    missing_bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of one level, containers first. `next` is an opaque token for the page after it, or None.

    `complete` is False for the same reasons as in a `Resolution`; `truncated` when the server shows no more
    entries of some kind at this level, although it has them.
    """

    entries: tuple[Container | Person | Group, ...]
    next: str | None
    complete: bool = True
    truncated: bool = False
    unavailable: tuple[str, ...] = ()
    missing_bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Membership:
    """The content of a public group, nested groups opened.

    `members` are people. `groups` are the nested groups that were opened. `missing` are members that the
    directory names but does not hold (or does not show). `truncated` when `limit` members were reached.
    """

    group: Group
    members: tuple[Person, ...]
    groups: tuple[Group, ...]
    missing: tuple[str, ...]
    truncated: bool
    limit: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate that a server presented. `expires` is ISO 8601, UTC."""

    subject: str
    issuer: str
    expires: str


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One connection, as an administrator asks about it.

    `reconnects` counts the connections that took the place of broken ones. `error` is why there is none, or
    that a preferred host is down; `cause` is its kind, a word of a closed set. `note` is what an
    administrator should know of one that serves.
    """

    service: Service
    server: str
    address: str
    encrypted: bool
    tls_version: str | None
    cipher: str | None
    certificate: Certificate | None
    bound_as: str | None
    state: ConnectionState
    operations: int
    in_flight: int
    reconnects: int
    error: str | None
    note: str | None = None
    cause: str | None = None

    @property
    def failed(self) -> bool:
        """Whether there is an error and no connection."""
        return self.error is not None and self.state is not ConnectionState.CONNECTED
