"""The directory side of a community: the five tasks, and the connections of all six services.

::

    async with Directory(load(folder, os.environ)) as directory:
        person = await directory.authenticate("ada", password)

`Directory` has the tasks, `Connections` the connections, which `quintet.cards` can share. Tasks return
`Person`, `Group`, `Container` and the records that hold them, and raise `DirectoryError`s.
"""

from quintet.directory.account_state import AccountState
from quintet.directory.anonymous import BIND_REQUIRED
from quintet.directory.attempts import (
    Attempt,
    AttemptCount,
    AttemptOutcome,
    AttemptRules,
    AttemptScope,
    IpAddress,
    LocalAttempts,
    SignInAttempts,
    limited_sign_in,
    name_key,
    network_in,
    network_of,
)
from quintet.directory.browse import LARGEST_PAGE
from quintet.directory.connections import Connections
from quintet.directory.connector import BindMethod, BoundConnection, Connector, ConnectOverride, unavailable
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
    TooManyAttemptsError,
    UnencryptedBindError,
    UnknownGroupError,
    UnknownNameError,
    UnreachableReason,
    UntrustedServerError,
)
from quintet.directory.events import ConnectionEvent, Event, SignedIn, SignInsBlocked, Trace, Warned
from quintet.directory.group_members import without_bits
from quintet.directory.kinds import (
    ACCOUNT_DISABLED,
    BIT_AND,
    USER_ACCOUNT,
    listed,
    of_group_class,
    of_person_class,
    people_of,
)
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
    VerifiedPerson,
)
from quintet.directory.resolve import may_be_resolved
from quintet.directory.service_pool import ServicePool
from quintet.directory.services import TASKS, Protection, Service
from quintet.directory.snapshot import Snapshot
from quintet.directory.ssl_contexts import SslContextCache
from quintet.directory.steps import Bound, Searched, Step, Took, tell_card, tell_search, watch
from quintet.directory.user_groups import DEEPEST, DEPTH, GroupLevel
from quintet.ldap import ConnectionState

__all__ = [
    "ACCOUNT_DISABLED",
    "ANY_ENTRY",
    "BIND_REQUIRED",
    "BIT_AND",
    "DEEPEST",
    "DEPTH",
    "LARGEST_PAGE",
    "TASKS",
    "USER_ACCOUNT",
    "AccountState",
    "AmbiguousNameError",
    "Attempt",
    "AttemptCount",
    "AttemptOutcome",
    "AttemptRules",
    "AttemptScope",
    "AuthenticationError",
    "BindMethod",
    "Bound",
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
    "GroupLevel",
    "InvalidPageTokenError",
    "IpAddress",
    "LocalAttempts",
    "Membership",
    "Mode",
    "OutOfScopeError",
    "Page",
    "Person",
    "Protection",
    "Resolution",
    "Searched",
    "Service",
    "ServicePool",
    "SignInAttempts",
    "SignInsBlocked",
    "SignedIn",
    "Snapshot",
    "SslContextCache",
    "Step",
    "TooManyAttemptsError",
    "Took",
    "Trace",
    "UnencryptedBindError",
    "UnknownGroupError",
    "UnknownNameError",
    "UnreachableReason",
    "UntrustedServerError",
    "VerifiedPerson",
    "Warned",
    "attribute_key",
    "card_endpoints",
    "endpoints_of",
    "fingerprints",
    "first",
    "identity",
    "is_name",
    "lies_under",
    "limited_sign_in",
    "listed",
    "may_be_resolved",
    "name_key",
    "network_in",
    "network_of",
    "of_group_class",
    "of_person_class",
    "parsed",
    "people_of",
    "person_attributes",
    "protection_of",
    "sametime_id",
    "tell_card",
    "tell_search",
    "texts",
    "unavailable",
    "values",
    "watch",
    "weakest",
    "without_bits",
]
