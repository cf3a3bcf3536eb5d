"""Accounts whose sign-in has a known answer, on any server."""

import enum
from dataclasses import dataclass


class AccountState(enum.Enum):
    """Why the right password does, or does not, authenticate the user."""

    ACTIVE = "active"
    DISABLED = "disabled"
    LOCKED = "locked by failed attempts"
    EXPIRED = "account expired"
    PASSWORD_EXPIRED = "password expired"
    PASSWORD_EXPIRING = "password expires soon"
    GRACE = "password expired, grace logins left"
    MUST_CHANGE_PASSWORD = "password must be changed"
    OUTSIDE_LOGON_HOURS = "outside logon hours"
    WRONG_WORKSTATION = "not allowed from this workstation"
    SMART_CARD_REQUIRED = "smart card required"
    NO_PASSWORD = "no password set"
    INACTIVE = "not used for too long"


@dataclass(frozen=True, slots=True)
class BindAnswer:
    """What a server answers to a bind.

    `code` is the LDAP result code, `text` the diagnostic message to the byte, `controls` the OIDs of the
    response controls but that of draft-behera-ldap-password-policy, whose words are in `policy`.
    """

    code: int
    text: str = ""
    controls: tuple[str, ...] = ()
    policy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """A user in one state: the login name, the DN, the password, and what the real server answers.

    `right` answers a simple bind with `password`, `wrong` one with another password. `row` is the row of
    docs/design/directory-servers.md that records both.
    """

    state: AccountState
    login: str
    dn: str
    password: str
    right: BindAnswer
    wrong: BindAnswer
    row: str
