"""What can be wrong with a store, a stash, or what is looked for in them. Each class has its code.

StoreError
├── StoreNotFoundError         T101  the file does not exist
├── StoreUnreadableError       T102  the file cannot be read
├── NotAStoreError             T103  it is something else: PEM, a web page, text
├── WrongStoreTypeError        T104  it is a store, but not of the type that its name or its type key says
├── DamagedStoreError          T105  it is truncated or inconsistent
├── WrongStorePasswordError    T106  the password does not open it, or there is none
├── UnsupportedStoreError      T107  an algorithm or an entry is not supported, or would be lost
├── StoreTooCostlyError        T108  it is too large, or opening it would take too long
├── NoSuchEntryError           T109  no entry has that alias, or none can be used
├── EntryExistsError           T110  an entry has that alias already
├── StoreWriteError            T111  the file could not be written; the old one is unchanged
├── UnusableEntryError         T112  a key or a certificate of the store cannot be used for TLS
└── StashError                 T113  the stash file is damaged, cannot be read, or exists already
    └── StashNotFoundError     T114  the stash file does not exist
"""

from pathlib import Path
from typing import ClassVar


class StoreError(Exception):
    """A store cannot be used. `message` says what is wrong with the file at `path`, `fix` what to do.

    `code` is a `TlsFinding`'s name.
    """

    code: ClassVar[str] = "T100"

    def __init__(self, message: str, fix: str = "", path: Path | None = None) -> None:
        super().__init__(message, fix, path)
        self.message = message
        self.fix = fix
        self.path = path

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path is not None else ""
        return f"{where}{self.message}; {self.fix}" if self.fix else f"{where}{self.message}"


class StoreNotFoundError(StoreError):
    code = "T101"


class StoreUnreadableError(StoreError):
    code = "T102"


class NotAStoreError(StoreError):
    code = "T103"


class WrongStoreTypeError(StoreError):
    code = "T104"


class DamagedStoreError(StoreError):
    code = "T105"

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"the store is damaged or truncated: {detail}", "copy it again in binary mode, or recreate it"
        )


class WrongStorePasswordError(StoreError):
    code = "T106"

    def __init__(
        self,
        message: str = "the password does not open the store, or the store was modified",
        fix: str = "check the password; keytool -list -keystore FILE asks for the same one",
    ) -> None:
        super().__init__(message, fix)


class UnsupportedStoreError(StoreError):
    code = "T107"


class StoreTooCostlyError(StoreError):
    code = "T108"


class NoSuchEntryError(StoreError):
    code = "T109"


class EntryExistsError(StoreError):
    code = "T110"


class StoreWriteError(StoreError):
    code = "T111"


class UnusableEntryError(StoreError):
    code = "T112"


class StashError(StoreError):
    code = "T113"


class StashNotFoundError(StashError):
    code = "T114"
