"""Trust and key stores, `.p12` and `.jks`: open, list, change and save them; stash files for their passwords.

`open_store` opens what the settings name, `read_store` what is in memory; both give a `Store`, which
`save_store` and `write_store` write. Everything that can go wrong is a `StoreError` with code, message and
fix.
"""

from quintet.tls.stores.compatibility import java_objection, seen_by_java, seen_by_sametime
from quintet.tls.stores.entries import (
    Encoding,
    KeyEntry,
    PrivateKey,
    TrustedEntry,
    UnreadableEntry,
    Unseen,
    add_trusted,
    is_sound,
)
from quintet.tls.stores.errors import (
    DamagedStoreError,
    EntryExistsError,
    NoSuchEntryError,
    NotAStoreError,
    StashError,
    StashNotFoundError,
    StoreError,
    StoreNotFoundError,
    StoreTooCostlyError,
    StoreUnreadableError,
    StoreWriteError,
    UnsupportedStoreError,
    UnusableEntryError,
    WrongStorePasswordError,
    WrongStoreTypeError,
)
from quintet.tls.stores.stash import read_stash, write_stash
from quintet.tls.stores.store import (
    Store,
    StoreNote,
    kind_of,
    new_store,
    open_store,
    read_store,
    read_store_file,
    save_store,
    write_store,
)

__all__ = [
    "DamagedStoreError",
    "Encoding",
    "EntryExistsError",
    "KeyEntry",
    "NoSuchEntryError",
    "NotAStoreError",
    "PrivateKey",
    "StashError",
    "StashNotFoundError",
    "Store",
    "StoreError",
    "StoreNotFoundError",
    "StoreNote",
    "StoreTooCostlyError",
    "StoreUnreadableError",
    "StoreWriteError",
    "TrustedEntry",
    "UnreadableEntry",
    "Unseen",
    "UnsupportedStoreError",
    "UnusableEntryError",
    "WrongStorePasswordError",
    "WrongStoreTypeError",
    "add_trusted",
    "is_sound",
    "java_objection",
    "kind_of",
    "new_store",
    "open_store",
    "read_stash",
    "read_store",
    "read_store_file",
    "save_store",
    "seen_by_java",
    "seen_by_sametime",
    "write_stash",
    "write_store",
]
