"""What can go wrong with stored values, in words for people. Texts never hold a value or a password.

::

    StorageError
    ├── DatabaseUrlError, MigrationError, StorageUnavailableError: those of `quintet.storage`
    ├── ValueTooLargeError        the value is larger than the limit
    ├── TooManyValuesError        the user has as many values as the limit allows
    ├── UnknownUserError          nothing is stored for this ID
    ├── UnknownVersionError       this version of the value is not kept
    ├── UserExistsError           values are stored for the new ID already
    └── InvalidImportError        the file is not what `export` writes
"""

from quintet.storage import StorageError


class ValueTooLargeError(StorageError):
    """A value of `size` bytes; `limit` are allowed."""

    code = "STORAGE-VALUE-SIZE"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"a value of {size} bytes; the limit is {limit}")
        self.size = size
        self.limit = limit


class TooManyValuesError(StorageError):
    """The user has `limit` values already."""

    code = "STORAGE-VALUES"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the user has {limit} values, which is the limit")
        self.limit = limit


class UnknownUserError(StorageError):
    """Nothing is stored for this Sametime ID."""

    code = "STORAGE-USER"


class UnknownVersionError(StorageError):
    """The version was never stored, or is not kept any more."""

    code = "STORAGE-VERSION"


class UserExistsError(StorageError):
    """Values are stored for the new Sametime ID already."""

    code = "STORAGE-USER-EXISTS"


class InvalidImportError(StorageError):
    """The file that was to be imported is malformed; `line` counts from 1, None where `problem` tells it."""

    code = "STORAGE-IMPORT"

    def __init__(self, line: int | None, problem: str) -> None:
        super().__init__(problem if line is None else f"line {line}: {problem}")
        self.line = line
