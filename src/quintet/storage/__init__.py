"""SQL for what Quintet must remember: SQLite by default, PostgreSQL by URL, with one set of migrations.

`Database` connects; who keeps something there brings its own tables. `TokenStore` keeps bearer tokens.
"""

from quintet.storage.database import DEFAULT_FILE, Database, DatabaseAddress, DatabaseKind
from quintet.storage.errors import DatabaseUrlError, MigrationError, StorageError, StorageUnavailableError
from quintet.storage.tokens import BearerToken, TokenScope, TokenStore

__all__ = [
    "DEFAULT_FILE",
    "BearerToken",
    "Database",
    "DatabaseAddress",
    "DatabaseKind",
    "DatabaseUrlError",
    "MigrationError",
    "StorageError",
    "StorageUnavailableError",
    "TokenScope",
    "TokenStore",
]
