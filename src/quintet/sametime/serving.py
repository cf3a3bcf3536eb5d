"""The interface of the server: `SametimeServer`, its settings, and what it tells to logs and metrics.

Its libraries take half a second to import, so it is imported only where a server is started.
"""

from quintet.sametime.client_types import ClientType
from quintet.sametime.community import SignInRule
from quintet.sametime.neighbours import SessionRow
from quintet.sametime.reason import ReasonCode
from quintet.sametime.server import SametimeServer, SessionInfo
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.settings import LegacyClients, SametimeSettings
from quintet.sametime.trace import (
    ClientIgnored,
    ClientSignedIn,
    ConnectionTurnedAway,
    ExperimentalUsed,
    FewOpenFiles,
    GroupRead,
    PrivacyKept,
    SametimeTraceEvent,
    ServiceRefused,
    SessionClosed,
    SignInRefused,
    SlowReader,
    StorageChanged,
    StorageState,
    TaskFailed,
    TurnedAway,
    UnencryptedClientsAllowed,
    ValueSaved,
)
from quintet.sametime.viewers import PresenceViewer
from quintet.sametime.wire.blocks import StatusCode, StatusFlag, UserStatus

__all__ = [
    "ClientIgnored",
    "ClientSignedIn",
    "ClientType",
    "ConnectionTurnedAway",
    "ExperimentalUsed",
    "FewOpenFiles",
    "GroupRead",
    "LegacyClients",
    "PresenceViewer",
    "PrivacyKept",
    "ReasonCode",
    "SametimeServer",
    "SametimeSettings",
    "SametimeTraceEvent",
    "ServiceId",
    "ServiceRefused",
    "SessionClosed",
    "SessionInfo",
    "SessionRow",
    "SignInRefused",
    "SignInRule",
    "SlowReader",
    "StatusCode",
    "StatusFlag",
    "StorageChanged",
    "StorageState",
    "TaskFailed",
    "TurnedAway",
    "UnencryptedClientsAllowed",
    "UserStatus",
    "ValueSaved",
]
