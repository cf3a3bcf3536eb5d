"""What can be wrong with a store, a stash, or what is looked for in them.

StoreError
├── StoreNotFoundError       there is no such file
├── StoreUnreadableError    the file is there and may not be read
├── NotAStoreError          it is something else: PEM, a web page, text
├── WrongStoreTypeError          it is a store, but of the other kind than its name or type key says
├── DamagedStoreError       it is cut off, or does not hang together
├── WrongStorePasswordError      the password does not open it
├── UnsupportedStoreError   its algorithms or entries are beyond us, or would be lost in the other format
├── StoreTooCostlyError          it is too large, or would take too long to open
├── NoSuchEntryError        no entry has that alias, or none is of use
├── EntryExistsError        an entry has that alias already
├── StoreWriteError        the file could not be written; the old one is whole
└── StashError         the stash file is damaged, cannot be read, or is already there
    └── StashNotFoundError   there is no such stash file
"""

from pathlib import Path


class StoreError(Exception):
    """A store cannot be used: `what` is wrong with the file at `path`, and `cure` says what to do."""

    def __init__(self, what: str, fix: str = "", path: Path | None = None) -> None:
        super().__init__(what, fix, path)
        self.message = what
        self.fix = fix
        self.path = path

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path is not None else ""
        return f"{where}{self.message}; {self.fix}" if self.fix else f"{where}{self.message}"


class StoreNotFoundError(StoreError):
    pass


class StoreUnreadableError(StoreError):
    pass


class NotAStoreError(StoreError):
    pass


class WrongStoreTypeError(StoreError):
    pass


class DamagedStoreError(StoreError):
    def __init__(self, detail: str) -> None:
        super().__init__(
            f"the store is damaged or cut off: {detail}", "copy it again in binary form, or make it anew"
        )


class WrongStorePasswordError(StoreError):
    def __init__(self, what: str = "the password does not open the store, or the store was changed") -> None:
        super().__init__(what, "check the password; keytool -list -keystore FILE asks for the same one")


class UnsupportedStoreError(StoreError):
    pass


class StoreTooCostlyError(StoreError):
    pass


class NoSuchEntryError(StoreError):
    pass


class EntryExistsError(StoreError):
    pass


class StoreWriteError(StoreError):
    pass


class StashError(StoreError):
    pass


class StashNotFoundError(StashError):
    pass
