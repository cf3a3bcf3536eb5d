"""What can be wrong with a store, a stash, or what is looked for in them.

StoreError
├── StoreMissing       there is no such file
├── StoreUnreadable    the file is there and may not be read
├── NotAStore          it is something else: PEM, a web page, text
├── WrongKind          it is a store, but of the other kind than its name or type key says
├── DamagedStore       it is cut off, or does not hang together
├── WrongPassword      the password does not open it
├── UnsupportedStore   its algorithms or entries are beyond us, or would be lost in the other format
├── TooCostly          it is too large, or would take too long to open
├── NoSuchEntry        no entry has that alias, or none is of use
├── EntryExists        an entry has that alias already
├── CannotWrite        the file could not be written; the old one is whole
└── StashError         the stash file is damaged, cannot be read, or is already there
    └── StashMissing   there is no such stash file
"""

from pathlib import Path


class StoreError(Exception):
    """A store cannot be used: `what` is wrong with the file at `path`, and `cure` says what to do."""

    def __init__(self, what: str, cure: str = "", path: Path | None = None) -> None:
        super().__init__(what, cure, path)
        self.what = what
        self.cure = cure
        self.path = path

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path is not None else ""
        return f"{where}{self.what}; {self.cure}" if self.cure else f"{where}{self.what}"


class StoreMissing(StoreError):
    pass


class StoreUnreadable(StoreError):
    pass


class NotAStore(StoreError):
    pass


class WrongKind(StoreError):
    pass


class DamagedStore(StoreError):
    def __init__(self, detail: str) -> None:
        super().__init__(
            f"the store is damaged or cut off: {detail}", "copy it again in binary form, or make it anew"
        )


class WrongPassword(StoreError):
    def __init__(self, what: str = "the password does not open the store, or the store was changed") -> None:
        super().__init__(what, "check the password; keytool -list -keystore FILE asks for the same one")


class UnsupportedStore(StoreError):
    pass


class TooCostly(StoreError):
    pass


class NoSuchEntry(StoreError):
    pass


class EntryExists(StoreError):
    pass


class CannotWrite(StoreError):
    pass


class StashError(StoreError):
    pass


class StashMissing(StashError):
    pass
