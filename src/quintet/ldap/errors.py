"""Everything that can go wrong with LDAP, as one tree.

::

    LdapError
    ├── LdapSyntaxError            a text does not have the form that it should have; a ValueError too
    │   └── FilterSyntaxError, DNSyntaxError, UrlSyntaxError
    ├── LdifError                  a text is not LDIF; a ValueError too
    ├── LocalProtocolError         a request that this connection cannot send now, or ever; nothing was sent
    ├── RemoteProtocolError        the server broke the protocol: malformed BER, a wrong message id, too much
    ├── ConnectError               no connection could be made: the name, the port, the time
    │   └── TlsError               ... because of the TLS handshake
    ├── ConnectionLostError        the connection broke: reset, end of stream, notice of disconnection, closed
    ├── OperationTimeoutError      no answer in time; the operation was abandoned
    ├── ClientLimitError           the server sent more than the caller allowed; the operation was abandoned
    ├── UnencryptedPasswordError   a password would have crossed an unencrypted connection; nothing was sent
    ├── PoolError                  a pool has no connection for an operation
    │   ├── PoolClosedError        it is closed
    │   ├── PoolOverloadedError    too many callers use it already
    │   ├── PoolTimeoutError       no connection became free in time
    │   └── NoHostReachableError   none of its hosts can be connected to, or bound to
    └── ResultError                the server answered with another result than success; a class for each code

A wrong type in a call is a TypeError, a wrong value a ValueError, raised before anything is sent.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

from quintet.ldap.results import Control, SearchResult


class LdapError(Exception):
    """What all errors of this package are.

    Attributes:
        message: The problem, without its place.
        server: Where it happened, as `host:port`; None if it has nothing to do with a server.
        operation: The operation: `bind`, `search`, `modify` and so on; None if there was none.
        dn: The entry that the operation was about; None if there was none.
    """

    def __init__(
        self, message: str, *, server: str | None = None, operation: str | None = None, dn: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
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


class LdapSyntaxError(LdapError, ValueError):
    """A text does not have the form that it should have.

    Attributes:
        position: Where in the text the problem is, in characters from 0.
    """

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


class FilterSyntaxError(LdapSyntaxError):
    """The text is not a search filter (RFC 4515)."""


class DNSyntaxError(LdapSyntaxError):
    """The text is not a distinguished name (RFC 4514)."""


class UrlSyntaxError(LdapSyntaxError):
    """The text is not an LDAP URL (RFC 4516), or not one that can be connected to."""


class LdifError(LdapError, ValueError):
    """The text is not LDIF (RFC 2849).

    Attributes:
        line: The line with the problem, from 1.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


class LocalProtocolError(LdapError):
    """This connection cannot send that request, or not now. Nothing was sent."""


NO_TEXT = "half of a surrogate pair cannot be sent as UTF-8"


class RemoteProtocolError(LdapError):
    """The server broke the protocol.

    The connection is closed, since nothing that follows can be trusted; except where only the value of a
    control or of an extended response is malformed.
    """


class ConnectError(LdapError):
    """No connection could be made. `__cause__` is the operating system's error, if there is one."""


class TlsError(ConnectError):
    """The TLS handshake failed, or StartTLS was refused. `__cause__` is the `ssl` error, if there is one."""


class ConnectionLostError(LdapError):
    """The connection broke or was closed before the operation was sent or answered."""


class OperationTimeoutError(LdapError):
    """The server did not answer in time. The operation was abandoned; the connection can be used further."""


class ClientLimitError(LdapError):
    """The server sent more than the caller allows.

    The search was abandoned; the connection can be used further.

    Attributes:
        partial: What had come until then, up to the limit.
    """

    partial: SearchResult | None = None


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
    """The server answered with another result than success (RFC 4511 section 4.1.9 and appendix A).

    There is a class for each result code; a code without one is plain `ResultError`.

    Attributes:
        result_code: The result code.
        diagnostic: The server's own text, in no particular form.
        reason: What Active Directory's sub-code in `diagnostic` means, such as that the account is disabled;
            None without one.
        matched_dn: The nearest entry above one that does not exist.
        referrals: LDAP URLs of servers that have the answer.
        controls: The controls of the answer, such as why a password policy refuses.
        partial: What a search had brought before; None for other operations.
        hint: What often helps; None if there is nothing to say.
    """

    code: ClassVar[int] = -1
    meaning: ClassVar[str] = "unknown result"
    hint: ClassVar[str | None] = None
    _by_code: ClassVar[dict[int, type["ResultError"]]] = {}

    partial: SearchResult | None = None
    controls: tuple[Control, ...] = ()

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
        message = f"{self.meaning} (result {self.result_code})"
        if self.reason:
            message += f": {self.reason}"
        elif self.hint:
            message += f"; {self.hint}"
        if diagnostic:
            message += f" [{printable(diagnostic)}]"
        super().__init__(message, server=server, operation=operation, dn=dn)

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
    code, meaning = 1, "operations error"
    hint = "on Active Directory: a bind is required before searching"


class ProtocolError(ResultError):
    code, meaning = 2, "protocol error"
    hint = "the server does not understand the request, or does not support it"


class TimeLimitExceeded(ResultError):
    code, meaning = 3, "time limit exceeded"


class SizeLimitExceeded(ResultError):
    code, meaning = 4, "size limit exceeded"


class AuthMethodNotSupported(ResultError):
    code, meaning = 7, "authentication method not supported"


class StrongerAuthRequired(ResultError):
    code, meaning = 8, "stronger authentication required"
    hint = "bind first, over TLS or with another SASL mechanism"


class Referral(ResultError):
    code, meaning = 10, "referral"
    hint = "another server has the answer"


class AdminLimitExceeded(ResultError):
    code, meaning = 11, "administrative limit exceeded"


class UnavailableCriticalExtension(ResultError):
    code, meaning = 12, "unavailable critical extension"
    hint = "the server does not support a control of the request"


class ConfidentialityRequired(ResultError):
    code, meaning = 13, "confidentiality required"
    hint = "the server wants an encrypted connection"


class NoSuchAttribute(ResultError):
    code, meaning = 16, "no such attribute"


class UndefinedAttributeType(ResultError):
    code, meaning = 17, "undefined attribute type"


class InappropriateMatching(ResultError):
    code, meaning = 18, "inappropriate matching"


class ConstraintViolation(ResultError):
    code, meaning = 19, "constraint violation"
    hint = "for example a locked account, or a password that the password policy forbids"


class AttributeOrValueExists(ResultError):
    code, meaning = 20, "attribute or value exists"


class InvalidAttributeSyntax(ResultError):
    code, meaning = 21, "invalid attribute syntax"


class NoSuchObject(ResultError):
    code, meaning = 32, "no such object"


class AliasProblem(ResultError):
    code, meaning = 33, "alias problem"


class InvalidDNSyntax(ResultError):
    code, meaning = 34, "invalid DN syntax"


class AliasDereferencingProblem(ResultError):
    code, meaning = 36, "alias dereferencing problem"


class InappropriateAuthentication(ResultError):
    code, meaning = 48, "inappropriate authentication"


class InvalidCredentials(ResultError):
    code, meaning = 49, "invalid credentials"
    hint = "the name or the password is wrong"


class InsufficientAccessRights(ResultError):
    code, meaning = 50, "insufficient access rights"


class Busy(ResultError):
    code, meaning = 51, "busy"


class Unavailable(ResultError):
    code, meaning = 52, "unavailable"
    hint = "the server is starting, shutting down or out of service"


class UnwillingToPerform(ResultError):
    code, meaning = 53, "unwilling to perform"


class LoopDetected(ResultError):
    code, meaning = 54, "loop detected"


class NamingViolation(ResultError):
    code, meaning = 64, "naming violation"


class ObjectClassViolation(ResultError):
    code, meaning = 65, "object class violation"
    hint = "an attribute is missing, or is not allowed by the entry's object classes"


class NotAllowedOnNonLeaf(ResultError):
    code, meaning = 66, "not allowed on non-leaf"
    hint = "there are entries below this one"


class NotAllowedOnRDN(ResultError):
    code, meaning = 67, "not allowed on RDN"
    hint = "a value of the entry's own name is changed by renaming it"


class EntryAlreadyExists(ResultError):
    code, meaning = 68, "entry already exists"


class ObjectClassModsProhibited(ResultError):
    code, meaning = 69, "object class modifications prohibited"


class AffectsMultipleDSAs(ResultError):
    code, meaning = 71, "affects multiple DSAs"


class Other(ResultError):
    code, meaning = 80, "other"


class Canceled(ResultError):
    code, meaning = 118, "canceled"


class NoSuchOperation(ResultError):
    code, meaning = 119, "no such operation"


class TooLate(ResultError):
    code, meaning = 120, "too late"


class CannotCancel(ResultError):
    code, meaning = 121, "cannot cancel"


class AssertionFailed(ResultError):
    code, meaning = 122, "assertion failed"


class AuthorizationDenied(ResultError):
    code, meaning = 123, "authorization denied"
    hint = "the bound account may not act for the other"


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
# The sub-code stands nowhere else: every refused bind has result 49.
_SUB_CODE = re.compile(r"\bdata ([0-9a-f]{1,8})\b", re.IGNORECASE)
_CHANNEL_BINDING = re.compile(r"\b80090346\b")


def explain_active_directory(diagnostic: str) -> str | None:
    """What the sub-code in one of Active Directory's diagnostic messages means, or None."""
    if _CHANNEL_BINDING.search(diagnostic):
        return "the server demands channel binding, and this bind did not carry it"
    found = _SUB_CODE.search(diagnostic)
    return _ACTIVE_DIRECTORY.get(found[1].lower()) if found else None


def printable(text: str, most: int = 300) -> str:
    """A server's own text, fit for a line of a log or a screen.

    Args:
        text: The text, as in `Result.diagnostic`.
        most: The most characters of it to keep.

    Returns:
        The text with a blank for each character that cannot be printed, cut after `most` characters.
    """
    text = "".join(c if c.isprintable() else " " for c in text[: 2 * most]).strip()
    return text if len(text) <= most else text[: most - 1] + "…"
