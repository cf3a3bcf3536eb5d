"""What the answer to a bind says about an account, in an administrator's terms.

LDAP has one result code for nearly every refusal, and each product says more in its own way: a sub-code in
the text (Active Directory), a fixed sentence (389 Directory Server), the control of draft-behera, Netscape's
two controls. `state_of` knows them all. Users never see it: to them every refusal looks alike.

The order of the tables is the order of what counts: a sub-code names the reason exactly; then the text that
stands for one reason; then the controls, which put several reasons under one number; then the result code.
Numbers such as S22 are rows of docs/design/directory-servers.md.
"""

import re
from collections.abc import Sequence
from enum import Enum
from types import MappingProxyType
from typing import TypeVar

from quintet.ldap import (
    Control,
    KnownControl,
    LdapError,
    PasswordExpired,
    PasswordExpiring,
    PasswordPolicyReason,
    PasswordPolicyResult,
)

_Known = TypeVar("_Known", bound=KnownControl)


class AccountState(Enum):
    """What a bind says about the account. The value is the word for it in JSON."""

    ACTIVE = "active"
    PASSWORD_EXPIRING = "password-expiring"  # noqa: S105  # a state
    GRACE = "grace"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105  # a state
    NO_ACCOUNT = "no-account"
    DISABLED = "disabled"
    LOCKED = "locked"
    EXPIRED = "expired"
    PASSWORD_EXPIRED = "password-expired"  # noqa: S105  # a state
    MUST_CHANGE_PASSWORD = "must-change-password"  # noqa: S105  # a state
    OUTSIDE_HOURS = "outside-hours"
    WRONG_WORKSTATION = "wrong-workstation"
    INACTIVE = "inactive"
    RESTRICTED = "restricted"
    UNKNOWN = "unknown"

    @property
    def meaning(self) -> str:
        """What it means, for an administrator."""
        return _MEANING[self]

    @property
    def signs_in(self) -> bool:
        """Whether the right password signs the user in, whatever the settings."""
        return self in (AccountState.ACTIVE, AccountState.PASSWORD_EXPIRING, AccountState.GRACE)

    @property
    def password_was_right(self) -> bool:
        """Whether the server says so only after the right password (S25, S26, S125, S128)."""
        return self.signs_in or self in (AccountState.PASSWORD_EXPIRED, AccountState.MUST_CHANGE_PASSWORD)


_MEANING = MappingProxyType(
    {
        AccountState.ACTIVE: "the password is right and the account may sign in",
        AccountState.PASSWORD_EXPIRING: "the password is right and expires soon",
        AccountState.GRACE: "the password is right and has expired; the server grants a few more sign-ins",
        AccountState.WRONG_PASSWORD: (
            "the password is wrong, or the account has none (Active Directory says the same of an account"
            " that needs a smart card)"
        ),
        AccountState.NO_ACCOUNT: "the server has no account of this name",
        AccountState.DISABLED: "the account is disabled by an administrator",
        AccountState.LOCKED: "the account is locked after too many wrong passwords",
        AccountState.EXPIRED: "the account has expired",
        AccountState.PASSWORD_EXPIRED: "the password has expired",
        AccountState.MUST_CHANGE_PASSWORD: "the password is right and must be changed before the first use",
        AccountState.OUTSIDE_HOURS: "the account may not sign in at this time of the week",
        AccountState.WRONG_WORKSTATION: "the account may sign in from certain workstations only",
        AccountState.INACTIVE: "the account was not used for too long, and the server has closed it",
        AccountState.RESTRICTED: "a restriction of the account, or of this kind of sign-in, forbids it",
        AccountState.UNKNOWN: "the server refuses, and its answer does not say why",
    }
)

# The servers' own words are read only where no code and no control tells the states apart: Active Directory
# and 389 Directory Server answer result 49, 53 or 19 to all of these, and write the rest into the text.

# S20 to S30: Win32 error codes, in hexadecimal.
_SUB_CODES = MappingProxyType(
    {
        "525": AccountState.NO_ACCOUNT,  # S21, 1317 no such user
        "52e": AccountState.WRONG_PASSWORD,  # S20, 1326 logon failure
        "52f": AccountState.RESTRICTED,  # S30, 1327 account restriction
        "530": AccountState.OUTSIDE_HOURS,  # S27, 1328 invalid logon hours
        "531": AccountState.WRONG_WORKSTATION,  # S28, 1329 invalid workstation
        "532": AccountState.PASSWORD_EXPIRED,  # S25, 1330 password expired
        "533": AccountState.DISABLED,  # S22, 1331 account disabled
        "534": AccountState.RESTRICTED,  # S30, 1332 logon type not granted
        "568": AccountState.RESTRICTED,  # S30, 1384 too many contexts
        "701": AccountState.EXPIRED,  # S24, 1793 account expired
        "773": AccountState.MUST_CHANGE_PASSWORD,  # S26, 1907 password must change
        "775": AccountState.LOCKED,  # S23, 1909 account locked out
        "1f": AccountState.NO_ACCOUNT,  # S21, 31 general failure: no security principal
    }
)
_ACTIVE_DIRECTORY = re.compile(r"\bdata ([0-9a-f]{1,8})\b, v", re.IGNORECASE)

# 389 Directory Server: the result code and how the text begins, in lower case.
_TEXTS: tuple[tuple[int, str, AccountState], ...] = (
    (53, "account inactivated", AccountState.DISABLED),  # S123, S131
    (19, "exceed password retry limit", AccountState.LOCKED),  # S124
    (49, "password expired", AccountState.PASSWORD_EXPIRED),  # S125
    (19, "account inactivity limit exceeded", AccountState.INACTIVE),  # S129
)

# draft-behera-ldap-password-policy section 6.2, by result code; None stands for any other code. 389 Directory
# Server puts "disabled" and "locked" under one number (S123, S124).
_REASONS: tuple[tuple[PasswordPolicyReason, int | None, AccountState], ...] = (
    (PasswordPolicyReason.ACCOUNT_LOCKED, 53, AccountState.DISABLED),
    (PasswordPolicyReason.ACCOUNT_LOCKED, None, AccountState.LOCKED),
    (PasswordPolicyReason.PASSWORD_EXPIRED, None, AccountState.PASSWORD_EXPIRED),
    (PasswordPolicyReason.CHANGE_AFTER_RESET, None, AccountState.MUST_CHANGE_PASSWORD),
)

_CODES = MappingProxyType(
    {
        0: AccountState.ACTIVE,
        32: AccountState.NO_ACCOUNT,
        34: AccountState.NO_ACCOUNT,
        49: AccountState.WRONG_PASSWORD,  # S108, S120
    }
)


def state_of(code: int, diagnostic: str = "", controls: Sequence[Control] = ()) -> AccountState:
    """What a bind's answer says about the account.

    Args:
        code: The result code, 0 for success.
        diagnostic: The server's own text.
        controls: The controls of the answer. Malformed ones count as absent.

    Returns:
        The state. A success that says that the password must be changed is not `ACTIVE` (S128): the server
        allows nothing after it but the change.
    """
    if code == 0:
        return _state_of_success(controls)
    return (
        _of_sub_code(code, diagnostic)
        or _of_text(code, diagnostic)
        or _of_controls(code, controls)
        or _CODES.get(code, AccountState.UNKNOWN)
    )


def _state_of_success(controls: Sequence[Control]) -> AccountState:
    """S126 to S128. Netscape's control alone does not tell grace from a change that is due."""
    policy = _find(PasswordPolicyResult, controls)
    if policy is not None:
        if policy.reason is not None:
            return _of_reason(0, policy.reason) or AccountState.UNKNOWN
        if policy.grace_logins is not None:
            return AccountState.GRACE
        if policy.expires_in is not None:
            return AccountState.PASSWORD_EXPIRING
    if _find(PasswordExpired, controls) is not None:
        return AccountState.MUST_CHANGE_PASSWORD
    if _find(PasswordExpiring, controls) is not None:
        return AccountState.PASSWORD_EXPIRING
    return AccountState.ACTIVE


def _of_sub_code(code: int, diagnostic: str) -> AccountState | None:
    if code != 49:
        return None
    found = _ACTIVE_DIRECTORY.search(diagnostic)
    return _SUB_CODES.get(found[1].lower(), AccountState.UNKNOWN) if found else None


def _of_text(code: int, diagnostic: str) -> AccountState | None:
    text = diagnostic.strip().lower()
    return next((state for at, begin, state in _TEXTS if at == code and text.startswith(begin)), None)


def _of_controls(code: int, controls: Sequence[Control]) -> AccountState | None:
    policy = _find(PasswordPolicyResult, controls)
    if policy is not None and policy.reason is not None:
        return _of_reason(code, policy.reason)
    return AccountState.PASSWORD_EXPIRED if _find(PasswordExpired, controls) is not None else None


def _of_reason(code: int, reason: PasswordPolicyReason) -> AccountState | None:
    return next(
        (state for each, at, state in _REASONS if each is reason and (at is None or at == code)), None
    )


def _find(kind: type[_Known], controls: Sequence[Control]) -> _Known | None:
    try:
        return kind.find(controls)
    except LdapError:
        return None
