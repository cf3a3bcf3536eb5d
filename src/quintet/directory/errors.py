"""What can go wrong with the services, in words for people.

::

    DirectoryError
    ├── AuthenticationError         authentication failed: unknown name and wrong password look the same
    ├── TooManyAttemptsError        too many sign-ins of this name or from this network have failed
    ├── UnknownNameError            no entry has this name
    ├── AmbiguousNameError          several entries have it
    ├── UnknownGroupError           no public group has it
    ├── OutOfScopeError             the name is below none of the configured bases
    ├── InvalidPageTokenError       the token belongs to no page of this level
    ├── BrowsingDisabledError       the administrator turned browsing off
    ├── DirectoryUnavailableError   the directory gave no answer, or none that helps
    ├── UntrustedServerError        the TLS handshake failed, or the certificate is not trusted
    └── UnencryptedBindError        a password would have been sent unencrypted
"""

import copy
from enum import Enum
from typing import TYPE_CHECKING, Self

from quintet.directory.services import Service

if TYPE_CHECKING:
    from quintet.directory.account_state import AccountState
    from quintet.tls import Explanation


class DirectoryError(Exception):
    """A service could not do what it was asked.

    `service` is the service, `server` the configured name, `address` "host:port". `message` is the sentence
    without them, `fix` what to do next. Each is None where it says nothing.
    """

    def __init__(
        self,
        message: str,
        *,
        service: Service | None = None,
        server: str | None = None,
        address: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.service = service
        self.server = server
        self.address = address
        self.fix = fix

    def __str__(self) -> str:
        name = self.service.value if self.service else None
        place = " at ".join(part for part in (name, self.address or self.server) if part)
        told = f"{place}: {self.message}" if place else self.message
        return f"{told}. {self.fix}" if self.fix else told

    @property
    def cause(self) -> str:
        """The reason as one word of a closed set, for programs and for reports without names."""
        return type(self).__name__

    def renewed(self) -> Self:
        """The same again: an exception that several callers get must not be one object."""
        return copy.copy(self)


class AuthenticationError(DirectoryError):
    """Authentication failed. `reason` and `state` say more, for administrators and never for the user.

    `state` is None when no account was asked: the name is unknown, or the password can't be one.
    """

    def __init__(
        self,
        message: str = "the name or the password is wrong",
        *,
        reason: str = "",
        state: "AccountState | None" = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.state = state


class TooManyAttemptsError(DirectoryError):
    """Too many sign-ins have failed. The directory was not asked. `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("too many failed sign-ins; wait before the next one")
        self.retry_after = retry_after


class UnknownNameError(DirectoryError):
    """No entry in the directory has this name."""


class AmbiguousNameError(DirectoryError):
    """Several entries have this name, where it must be one."""


class UnknownGroupError(DirectoryError):
    """No public group has this name."""


class OutOfScopeError(DirectoryError):
    """The name is below none of the configured bases, so it is not looked at."""


class InvalidPageTokenError(DirectoryError):
    """The token is damaged, or belongs to another level."""


class BrowsingDisabledError(DirectoryError):
    """`VPDIR_IGNORE_BROWSE=1` turns browsing off."""


class UnreachableReason(Enum):
    """Why a directory is unavailable."""

    NAME = "the host name cannot be resolved"
    REFUSED = "nothing listens there"
    TIMED_OUT = "it does not answer in time"
    LOST = "the connection broke"
    BUSY = "it is too busy"
    ACCOUNT = "it does not accept the service account"
    ANSWER = "it answered with an error"
    OVERLOADED = "too many requests wait for it"
    CLOSED = "it is not open"
    NETWORK = "the network does not lead there"
    NO_SERVER = "the settings name no server"
    FAULT = "a fault in Quintet"


class DirectoryUnavailableError(DirectoryError):
    """The directory could not be asked. `why` tells the kinds apart, `retry_in` is in seconds."""

    why: UnreachableReason = UnreachableReason.NETWORK
    retry_in: float | None = None

    @property
    def cause(self) -> str:
        return self.why.name

    @classmethod
    def because(
        cls,
        why: UnreachableReason,
        detail: str = "",
        *,
        service: Service | None = None,
        server: str | None = None,
        address: str | None = None,
        fix: str | None = None,
    ) -> "DirectoryUnavailableError":
        message = f"{why.value} ({detail})" if detail else why.value
        error = cls(message, service=service, server=server, address=address, fix=fix)
        error.why = why
        return error

    def __str__(self) -> str:
        told = super().__str__()
        return told if self.retry_in is None else f"{told}; it is tried again in {self.retry_in:.1f} s"


class UntrustedServerError(DirectoryError):
    """No TLS connection that can be trusted. `explanation` tells the reason and the certificate at fault."""

    explanation: "Explanation | None" = None

    @property
    def cause(self) -> str:
        return self.explanation.code if self.explanation else super().cause


class UnencryptedBindError(DirectoryError):
    """A password would have been sent over an unencrypted connection, so nothing was sent."""
