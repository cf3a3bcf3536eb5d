"""What can go wrong with a database. Texts never hold a value or a password.

::

    StorageError
    ├── DatabaseUrlError               the URL cannot be used
    ├── MigrationError                 the tables could not be brought up to date
    │   └── NewerSchemaError           a newer release changed them so that this one cannot work with them
    ├── RejectedValueError             the database does not take such a value
    └── StorageUnavailableError        the database gave no answer, or none that helps
        └── StorageReadOnlyError       it can be read, but nothing can be stored
"""

from typing import ClassVar


class StorageError(Exception):
    """Something that the store could not do. `code` is stable, `fix` is what to do next."""

    code: ClassVar[str] = "STORAGE"

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}. {self.fix}" if self.fix else self.message


class DatabaseUrlError(StorageError):
    """`QUINTET_DATABASE` is not a URL that can be used."""

    code = "STORAGE-URL"


class MigrationError(StorageError):
    """The tables could not be created or brought up to date."""

    code = "STORAGE-MIGRATION"


class NewerSchemaError(MigrationError):
    """The tables are those of a newer release, and have changed in more than additions."""

    code = "STORAGE-NEWER"


class RejectedValueError(StorageError):
    """The database answers, but does not take this value or this ID."""

    code = "STORAGE-REJECTED"


class StorageUnavailableError(StorageError):
    """The database could not be asked. It may be asked again."""

    code = "STORAGE-UNAVAILABLE"


class StorageReadOnlyError(StorageUnavailableError):
    """The database answers, but stores nothing: a standby, a full disk, or missing rights."""

    code = "STORAGE-READ-ONLY"
