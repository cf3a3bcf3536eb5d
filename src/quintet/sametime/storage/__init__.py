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
    Origin,
    Saved,
    SaveOutcome,
    StorageLimits,
    Value,
    ValueStore,
    VersionInfo,
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
    "Origin",
    "SaveOutcome",
    "Saved",
    "StorageError",
    "StorageLimits",
    "StorageUnavailableError",
    "TooManyValuesError",
    "UnknownUserError",
    "UnknownVersionError",
    "UserExistsError",
    "Value",
    "ValueStore",
    "ValueTooLargeError",
    "VersionInfo",
]
