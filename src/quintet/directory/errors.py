"""What can go wrong with the five tasks, in words for people.

::

    DirectoryError
    ├── Refused              a sign-in failed: unknown name and wrong password look the same
    ├── UnknownName          nobody has this name
    ├── AmbiguousName        several have it
    ├── UnknownGroup         no public group has it
    ├── OutsideBases         the name lies under none of the configured bases
    ├── BadPage              the token belongs to no page of this level
    ├── BrowsingOff          the administrator turned browsing off
    ├── Unreachable          the directory gave no answer, or none that helps
    ├── Untrusted            TLS could not be made, or the certificate does not hold
    └── ClearBindRefused     a password would have crossed a clear connection
"""

import copy
from enum import Enum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from quintet.tls.explain import Explanation


class DirectoryError(Exception):
    """Something that the directory side of the community could not do.

    `task` is a `Task` value or another pool's label, `server` the configured name, `address` "host:port".
    `what` is the sentence without them, `cure` what to do next. None where it says nothing.
    """

    def __init__(
        self,
        what: str,
        *,
        task: str | None = None,
        server: str | None = None,
        address: str | None = None,
        cure: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.task = task
        self.server = server
        self.address = address
        self.cure = cure

    def __str__(self) -> str:
        place = " at ".join(part for part in (self.task, self.address or self.server) if part)
        told = f"{place}: {self.what}" if place else self.what
        return f"{told}. {self.cure}" if self.cure else told

    def renewed(self) -> Self:
        """The same once more: an exception that several callers get must not be one object."""
        return copy.copy(self)


class Refused(DirectoryError):
    """The sign-in failed. `reason` says more, for logs and never for the person who signs in."""

    def __init__(self, what: str = "the name or the password is wrong", *, reason: str = "") -> None:
        super().__init__(what)
        self.reason = reason


class UnknownName(DirectoryError):
    """Nobody in the directory has this name."""


class AmbiguousName(DirectoryError):
    """Several entries have this name, where it must be one."""


class UnknownGroup(DirectoryError):
    """No public group has this name."""


class OutsideBases(DirectoryError):
    """The name lies under none of the configured bases, so it is not looked at."""


class BadPage(DirectoryError):
    """The token is damaged, or belongs to another level."""


class BrowsingOff(DirectoryError):
    """`VPDIR_IGNORE_BROWSE=1` turns browsing off."""


class Why(Enum):
    """Why a directory is out of reach."""

    NAME = "the host name cannot be resolved"
    REFUSED = "nothing listens there"
    TIMED_OUT = "it does not answer in time"
    LOST = "the connection broke"
    BUSY = "it is too busy"
    ACCOUNT = "it does not take the service account"
    ANSWER = "it answered with an error"
    OVERLOADED = "too many requests wait for it"
    CLOSED = "it is not open"
    NETWORK = "the network does not carry us there"
    NO_SERVER = "the settings name no server"
    FAULT = "a fault in Quintet"


class Unreachable(DirectoryError):
    """The directory could not be asked. `why` tells the kinds apart, `retry_in` is in seconds."""

    why: Why = Why.NETWORK
    retry_in: float | None = None

    @classmethod
    def because(
        cls,
        why: Why,
        detail: str = "",
        *,
        task: str | None = None,
        server: str | None = None,
        address: str | None = None,
        cure: str | None = None,
    ) -> "Unreachable":
        what = f"{why.value} ({detail})" if detail else why.value
        error = cls(what, task=task, server=server, address=address, cure=cure)
        error.why = why
        return error

    def __str__(self) -> str:
        told = super().__str__()
        return told if self.retry_in is None else f"{told}; it is tried again in {self.retry_in:.1f} s"


class Untrusted(DirectoryError):
    """No TLS that could be trusted. `explanation` tells the reason and the certificate at fault."""

    explanation: "Explanation | None" = None


class ClearBindRefused(DirectoryError):
    """A password would have crossed a connection that is not encrypted, so nothing was sent."""
