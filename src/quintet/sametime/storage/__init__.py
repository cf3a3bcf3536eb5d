"""What users keep at the server: contact lists, client settings and privacy lists, in SQL."""

from quintet.sametime.storage.database import DatabaseAddress, DatabaseKind
from quintet.sametime.storage.errors import (
    DatabaseUrlError,
    InvalidImportError,
    MigrationError,
    StorageError,
    StorageUnavailableError,
    TooManyValuesError,
    UnknownUserError,
    UnknownVersionError,
    UserExistsError,
    ValueTooLargeError,
)
from quintet.sametime.storage.store import (
    CONTACT_LIST,
    PRIVACY_LIST,
    VERSIONS,
    Saved,
    SaveOutcome,
    StorageLimits,
    ValueStore,
    VersionedValue,
    VersionInfo,
    VersionOrigin,
)

__all__ = [
    "CONTACT_LIST",
    "PRIVACY_LIST",
    "VERSIONS",
    "DatabaseAddress",
    "DatabaseKind",
    "DatabaseUrlError",
    "InvalidImportError",
    "MigrationError",
    "SaveOutcome",
    "Saved",
    "StorageError",
    "StorageLimits",
    "StorageUnavailableError",
    "TooManyValuesError",
    "UnknownUserError",
    "UnknownVersionError",
    "UserExistsError",
    "ValueStore",
    "ValueTooLargeError",
    "VersionInfo",
    "VersionOrigin",
    "VersionedValue",
]
