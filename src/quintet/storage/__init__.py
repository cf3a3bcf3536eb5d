"""SQL for what Quintet must remember: SQLite by default, PostgreSQL by URL, with one set of migrations.

`Database` connects; who keeps something there brings its own tables. `TokenStore` keeps bearer tokens.
"""

from quintet.storage.address import DEFAULT_FILE, DatabaseAddress, DatabaseKind, DatabaseTls
from quintet.storage.database import Database
from quintet.storage.errors import (
    DatabaseUrlError,
    MigrationError,
    NewerSchemaError,
    RejectedValueError,
    StorageError,
    StorageReadOnlyError,
    StorageUnavailableError,
)
from quintet.storage.tokens import BearerToken, TokenScope, TokenStore

__all__ = [
    "DEFAULT_FILE",
    "BearerToken",
    "Database",
    "DatabaseAddress",
    "DatabaseKind",
    "DatabaseTls",
    "DatabaseUrlError",
    "MigrationError",
    "NewerSchemaError",
    "RejectedValueError",
    "StorageError",
    "StorageReadOnlyError",
    "StorageUnavailableError",
    "TokenScope",
    "TokenStore",
]
