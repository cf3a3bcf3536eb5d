"""The directory side of a community: the five tasks, and the connections of all six services.

::

    async with Directory(load(folder, os.environ)) as directory:
        person = await directory.authenticate("ada", password)

`Directory` has the tasks, `Connections` the connections, which `quintet.cards` can share. Tasks return
`Person`, `Group`, `Container` and the records that hold them, and raise `DirectoryError`s.
"""

from quintet.directory.browse import LARGEST_PAGE
from quintet.directory.connections import Connections
from quintet.directory.connector import (
    BindMethod,
    BoundConnection,
    Connector,
    ConnectOverride,
    unavailable,
)
from quintet.directory.directory import Directory
from quintet.directory.endpoint import (
    Endpoint,
    FileFingerprint,
    Mode,
    card_endpoints,
    endpoints_of,
    fingerprints,
    protection_of,
    weakest,
)
from quintet.directory.entries import (
    ANY_ENTRY,
    attribute_key,
    first,
    identity,
    lies_under,
    parsed,
    person_attributes,
    sametime_id,
    texts,
    values,
)
from quintet.directory.errors import (
    AmbiguousNameError,
    AuthenticationError,
    BrowsingDisabledError,
    DirectoryError,
    DirectoryUnavailableError,
    InvalidPageTokenError,
    OutOfScopeError,
    UnencryptedBindError,
    UnknownGroupError,
    UnknownNameError,
    UnreachableReason,
    UntrustedServerError,
)
from quintet.directory.events import ConnectionEvent, Event, SignedIn, Trace, Warned
from quintet.directory.queries import is_name
from quintet.directory.records import (
    Certificate,
    ConnectionStatus,
    Container,
    Group,
    Membership,
    Page,
    Person,
    Resolution,
)
from quintet.directory.resolve import may_be_resolved
from quintet.directory.service_pool import ServicePool
from quintet.directory.services import TASKS, Protection, Service
from quintet.directory.snapshot import Snapshot
from quintet.directory.ssl_contexts import SslContextCache
from quintet.ldap.pool_config import ConnectionState

__all__ = [
    "ANY_ENTRY",
    "LARGEST_PAGE",
    "TASKS",
    "AmbiguousNameError",
    "AuthenticationError",
    "BindMethod",
    "BoundConnection",
    "BrowsingDisabledError",
    "Certificate",
    "ConnectOverride",
    "ConnectionEvent",
    "ConnectionState",
    "ConnectionStatus",
    "Connections",
    "Connector",
    "Container",
    "Directory",
    "DirectoryError",
    "DirectoryUnavailableError",
    "Endpoint",
    "Event",
    "FileFingerprint",
    "Group",
    "InvalidPageTokenError",
    "Membership",
    "Mode",
    "OutOfScopeError",
    "Page",
    "Person",
    "Protection",
    "Resolution",
    "Service",
    "ServicePool",
    "SignedIn",
    "Snapshot",
    "SslContextCache",
    "Trace",
    "UnencryptedBindError",
    "UnknownGroupError",
    "UnknownNameError",
    "UnreachableReason",
    "UntrustedServerError",
    "Warned",
    "attribute_key",
    "card_endpoints",
    "endpoints_of",
    "fingerprints",
    "first",
    "identity",
    "is_name",
    "lies_under",
    "may_be_resolved",
    "parsed",
    "person_attributes",
    "protection_of",
    "sametime_id",
    "texts",
    "unavailable",
    "values",
    "weakest",
]
