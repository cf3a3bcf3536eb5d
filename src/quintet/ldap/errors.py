"""Everything that can go wrong with LDAP, as one tree.

::

    LdapError
    ├── FilterSyntaxError, DNSyntaxError          you gave text that is no filter (RFC 4515) or DN (RFC 4514); ValueErrors
    ├── LocalProtocolError                      you asked for what the connection cannot do now (a search during a bind)
    ├── RemoteProtocolError               the server broke the protocol: malformed BER, a wrong message id, too much
    ├── ConnectError               no connection came about: name, port, time
    │   └── TlsError               ... because of the TLS handshake
    ├── ConnectionLostError              it was there and went: reset, end of stream, notice, closed
    ├── OperationTimeoutError                    the operation's time was up; it was abandoned on the server
    ├── ClientLimitError                the server sent more than the caller allowed; it was abandoned
    ├── UnencryptedPasswordError   a password would have crossed an unencrypted connection; nothing was sent
    ├── PoolError                  a pool has no connection for an operation
    │   ├── PoolClosedError        it is closed
    │   ├── PoolOverloadedError    too many callers use it already
    │   ├── PoolTimeoutError       no connection became free in time
    │   └── NoHostReachableError   none of its hosts can be connected to, or bound to
    └── ResultError                 the server answered, and not with success; one class for each code
        ├── OperationsError 1, ProtocolError 2, TimeLimitExceeded 3, SizeLimitExceeded 4,
        ├── AuthMethodNotSupported 7, StrongerAuthRequired 8, Referral 10, AdminLimitExceeded 11,
        ├── UnavailableCriticalExtension 12, ConfidentialityRequired 13,
        ├── NoSuchAttribute 16, UndefinedAttributeType 17, InappropriateMatching 18,
        ├── ConstraintViolation 19, InvalidAttributeSyntax 21,
        ├── NoSuchObject 32, AliasProblem 33, InvalidDnSyntax 34, AliasDereferencingProblem 36,
        ├── InappropriateAuthentication 48, InvalidCredentials 49, InsufficientAccessRights 50,
        ├── Busy 51, Unavailable 52, UnwillingToPerform 53, LoopDetected 54, Other 80,
        └── AuthorizationDenied 123
"""

import re
from collections.abc import Sequence
from typing import ClassVar

from quintet.ldap.messages import Control
from quintet.ldap.results import SearchResult


class LdapError(Exception):
    """Whatever went wrong with an LDAP operation or connection.

    `server` is "host:port", `operation` a verb ("bind", "search", ...), `dn` what it was about. Each is None
    where nobody knows it yet; whoever does fills it in. `what` is the sentence without them.
    """

    def __init__(
        self, what: str, *, server: str | None = None, operation: str | None = None, dn: str | None = None
    ) -> None:
        super().__init__(what)
        self.message = what
        self.server = server
        self.operation = operation
        self.dn = dn

    def __str__(self) -> str:
        place = " ".join(
            part
            for part in (
                self.operation or "",
                f"of {self.dn!r}" if self.dn else "",
                f"at {self.server}" if self.server else "",
            )
            if part
        )
        return f"{place}: {self.message}" if place else self.message


class FilterSyntaxError(LdapError, ValueError):
    """The text is no filter by RFC 4515. `position` counts characters from 0."""

    def __init__(self, what: str, position: int = 0) -> None:
        super().__init__(what)
        self.position = position


class DNSyntaxError(LdapError, ValueError):
    """The text is no distinguished name by RFC 4514. `position` counts characters from 0."""

    def __init__(self, what: str, position: int = 0) -> None:
        super().__init__(what)
        self.position = position


class LocalProtocolError(LdapError):
    """The caller asked for what this connection cannot do now."""


NO_TEXT = "half a surrogate pair is no text"


class RemoteProtocolError(LdapError):
    """The server broke the protocol. The connection is closed: nothing after that point could be trusted."""


class ConnectError(LdapError):
    """No connection came about. `__cause__` is the operating system's error, where there is one."""


class TlsError(ConnectError):
    """No TLS came about. `__cause__` is the `ssl` error."""


class ConnectionLostError(LdapError):
    """The connection went while the operation was under way, or before it could be sent."""


class OperationTimeoutError(LdapError):
    """The time for the operation was up. It was abandoned; the connection is still good."""


class ClientLimitError(LdapError):
    """The server sent more entries than the caller allows. It was abandoned; the connection is good."""

    partial: SearchResult | None = None
    """What had come until then, as far as the caller allows it."""


class UnencryptedPasswordError(LdapError):
    """A simple bind was refused on this side: its password would have crossed an unencrypted connection."""


class PoolError(LdapError):
    """A pool has no connection for an operation; the operation was not sent."""


class PoolClosedError(PoolError):
    """The pool is closed, or was closed while the operation waited for a connection."""


class PoolOverloadedError(PoolError):
    """`PoolConfig.max_callers` operations use the pool already."""


class PoolTimeoutError(PoolError):
    """No connection became free within the time for an operation."""


class NoHostReachableError(PoolError):
    """None of the hosts took a connection. `__cause__` is why, for the first of them.

    `retry_in` is the time in seconds after which the pool tries that host again. Until then it fails at once.
    """

    retry_in: float = 0.0


class ResultError(LdapError):
    """The server's answer, where it is not success (RFC 4511 4.1.9 and appendix A)."""

    code: ClassVar[int] = -1
    meaning: ClassVar[str] = "unknown result"
    _by_code: ClassVar[dict[int, type["ResultError"]]] = {}

    partial: SearchResult | None = None
    """What a search had brought before the server ended it so."""

    controls: tuple[Control, ...] = ()
    """What the server added to its answer, such as why a password policy refuses."""

    def __init_subclass__(cls) -> None:
        ResultError._by_code[cls.code] = cls

    def __init__(
        self,
        diagnostic: str = "",
        *,
        result_code: int | None = None,
        matched_dn: str = "",
        referrals: Sequence[str] = (),
        server: str | None = None,
        operation: str | None = None,
        dn: str | None = None,
    ) -> None:
        self.result_code = self.code if result_code is None else result_code
        self.diagnostic = diagnostic
        self.matched_dn = matched_dn
        self.referrals = tuple(referrals)
        self.reason = explain_active_directory(diagnostic)
        what = f"{self.meaning} (result {self.result_code})"
        if self.reason:
            what += f": {self.reason}"
        if diagnostic:
            what += f" [{shown(diagnostic)}]"
        super().__init__(what, server=server, operation=operation, dn=dn)

    @classmethod
    def of(
        cls,
        code: int,
        diagnostic: str = "",
        *,
        matched_dn: str = "",
        referrals: Sequence[str] = (),
        server: str | None = None,
        operation: str | None = None,
        dn: str | None = None,
    ) -> "ResultError":
        """The error of the class that stands for `code`."""
        return cls._by_code.get(code, cls)(
            diagnostic,
            result_code=code,
            matched_dn=matched_dn,
            referrals=referrals,
            server=server,
            operation=operation,
            dn=dn,
        )


class OperationsError(ResultError):
    code, meaning = 1, "the server could not order this operation among the others"


class ProtocolError(ResultError):
    code, meaning = 2, "the server could not make sense of the request"


class TimeLimitExceeded(ResultError):
    code, meaning = 3, "the server's time limit was reached"


class SizeLimitExceeded(ResultError):
    code, meaning = 4, "there are more entries than the size limit allows"


class AuthMethodNotSupported(ResultError):
    code, meaning = 7, "the server does not offer this way to bind"


class StrongerAuthRequired(ResultError):
    code, meaning = 8, "the server wants a stronger bind or an encrypted connection"


class Referral(ResultError):
    code, meaning = 10, "another server holds the answer"


class AdminLimitExceeded(ResultError):
    code, meaning = 11, "a limit set by the server's administrator was reached"


class UnavailableCriticalExtension(ResultError):
    code, meaning = 12, "the server does not know a control that the request needs"


class ConfidentialityRequired(ResultError):
    code, meaning = 13, "the server wants an encrypted connection"


class NoSuchAttribute(ResultError):
    code, meaning = 16, "the entry has no such attribute"


class UndefinedAttributeType(ResultError):
    code, meaning = 17, "the server's schema has no such attribute"


class InappropriateMatching(ResultError):
    code, meaning = 18, "the attribute cannot be compared in this way"


class ConstraintViolation(ResultError):
    code, meaning = 19, "a rule of the server forbids this, such as that an account is locked"


class InvalidAttributeSyntax(ResultError):
    code, meaning = 21, "the value is not of the attribute's syntax"


class NoSuchObject(ResultError):
    code, meaning = 32, "there is no such entry"


class AliasProblem(ResultError):
    code, meaning = 33, "an alias leads nowhere"


class InvalidDnSyntax(ResultError):
    code, meaning = 34, "the server does not take this as a distinguished name"


class AliasDereferencingProblem(ResultError):
    code, meaning = 36, "an alias could not be followed"


class InappropriateAuthentication(ResultError):
    code, meaning = 48, "this entry cannot bind in this way"


class InvalidCredentials(ResultError):
    code, meaning = 49, "the name or the password is wrong"


class InsufficientAccessRights(ResultError):
    code, meaning = 50, "the bound account may not do this"


class Busy(ResultError):
    code, meaning = 51, "the server is too busy"


class Unavailable(ResultError):
    code, meaning = 52, "the server is shutting down or out of service"


class UnwillingToPerform(ResultError):
    code, meaning = 53, "the server refuses to do this"


class LoopDetected(ResultError):
    code, meaning = 54, "the server was led in a circle"


class Other(ResultError):
    code, meaning = 80, "the server failed for a reason of its own"


class AuthorizationDenied(ResultError):
    code, meaning = 123, "the bound account may not act for the other (RFC 4370)"


_ACTIVE_DIRECTORY = {
    "525": "there is no such user",
    "52e": "the password is wrong",
    "530": "the account may not log on at this time",
    "531": "the account may not log on from this workstation",
    "532": "the password has expired",
    "533": "the account is disabled",
    "701": "the account has expired",
    "773": "the password must be changed before the first log-on",
    "775": "the account is locked out after too many wrong passwords",
}
_SUB_CODE = re.compile(r"\bdata ([0-9a-f]{1,8})\b", re.IGNORECASE)
_CHANNEL_BINDING = re.compile(r"\b80090346\b")


def explain_active_directory(diagnostic: str) -> str | None:
    """The plain words for the sub-code in one of Active Directory's diagnostic messages, or None."""
    if _CHANNEL_BINDING.search(diagnostic):
        return "the server demands channel binding, and this bind did not carry it"
    found = _SUB_CODE.search(diagnostic)
    return _ACTIVE_DIRECTORY.get(found[1].lower()) if found else None


def shown(text: str, most: int = 300) -> str:
    """A server's own words, fit for a line of a log or a screen."""
    text = "".join(c if c.isprintable() else " " for c in text[: 2 * most]).strip()
    return text if len(text) <= most else text[: most - 1] + "…"
