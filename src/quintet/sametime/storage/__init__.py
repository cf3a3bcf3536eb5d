"""What users keep at the server: contact lists, client settings and privacy lists, in SQL."""

from quintet.sametime.storage.errors import (
    InvalidImportError,
    TooManyValuesError,
    UnknownUserError,
    UnknownVersionError,
    UserExistsError,
    ValueTooLargeError,
)
from quintet.sametime.storage.store import (
    CONTACT_LIST,
    LOST_VERSIONS,
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
from quintet.storage import (
    DatabaseAddress,
    DatabaseKind,
    DatabaseUrlError,
    MigrationError,
    StorageError,
    StorageReadOnlyError,
    StorageUnavailableError,
)

__all__ = [
    "CONTACT_LIST",
    "LOST_VERSIONS",
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
    "StorageReadOnlyError",
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
