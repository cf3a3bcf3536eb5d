"""An organisation in LDIF for 389 Directory Server: some 300 people, groups of every class, account states.

A user's password is `people.password_of(login name)`. `ACCOUNTS` says what a real server answered for each
account state; numbers such as S120 are rows of docs/design/directory-servers.md.
"""

import base64
import datetime as dt
import hashlib
from collections.abc import Iterator

from support import people
from support.accounts import Account, AccountState, BindAnswer
from support.ldif import Value, Values, entry, rdn

BASE = "dc=example,dc=org"
PEOPLE = f"ou=People,{BASE}"
GROUPS = f"ou=Groups,{BASE}"
SERVICES = f"ou=Services,{BASE}"
POLICIES = f"cn=Policies,{BASE}"
SLASH_UNIT = f"{rdn('ou', 'Research / Development')},{PEOPLE}"
UNITS = ("Berlin", "Köln", "東京")
DEPARTMENTS = ("Engineering", "Sales", "Finance", "Support", "Legal & Risk")

SERVICE_LOGIN = "reader"
SERVICE_DN = f"uid={SERVICE_LOGIN},{SERVICES}"
SERVICE_PASSWORD = people.password_of(SERVICE_LOGIN)

PEERS = ("jmartin", "jmartin2")
"""Two users with the same display name and the same mail address."""
LOCKABLE = "lockable"
"""A user whom `LOCKOUT_THRESHOLD` failed attempts lock, and nobody has locked yet."""
MULTIPLE = "multiple"
"""A user whose RDN has two values."""
TAGGED = "tagged"
"""A user whose names are there in English and in Japanese (cn;lang-ja and the like)."""
ROLE_DISABLED = "roledisabled"
"""A user who is inactivated by a role: nsAccountLock is computed, and stands in no entry."""

LOCKOUT_THRESHOLD = 3

SCHEMA = """dn: cn=schema
objectClasses: ( 1.2.840.113556.1.5.8 NAME 'group' DESC 'a group as Active Directory and Domino have it'
  SUP top STRUCTURAL MUST cn MAY ( member $ mail $ description ) X-ORIGIN 'user defined' )
"""

_POLICY_SUBENTRY = "pwdPolicySubentry"
_DAY = 24 * 60 * 60  # seconds
_NEVER = "20380101000000Z"
_LONG_AGO = "20100101000000Z"
_ADMINISTRATOR_SET = "19700101000000Z"
"""What the server itself writes into passwordExpirationTime when an administrator sets a password."""


def person_dn(login: str, unit: str = PEOPLE) -> str:
    return f"{rdn('uid', login)},{unit}"


def odd_dn(login: str) -> str:
    """The DN of a user of `people.ODD_NAMES`: named by the common name."""
    return f"{rdn('cn', people.ODD_NAMES[login][2])},{SLASH_UNIT if login == 'slash' else PEOPLE}"


def staff_dn(number: int) -> str:
    """The DN of an ordinary user, 0 to 269."""
    return person_dn(people.staff_login(number), unit_dn(UNITS[number % len(UNITS)]))


def unit_dn(name: str) -> str:
    return f"{rdn('ou', name)},{PEOPLE}"


def group_dn(name: str) -> str:
    return f"{rdn('cn', name)},{GROUPS}"


def policy_dn(name: str) -> str:
    return f"cn={name},{POLICIES}"


def multiple_dn() -> str:
    return f"cn=Max Multiple+uid={MULTIPLE},{PEOPLE}"


def entries(acis: tuple[str, ...], *, cleartext: bool) -> str:
    """All entries, every one after the one above it. `cleartext` passwords are what SCRAM needs (S110)."""
    return "".join(_Writer(acis, cleartext=cleartext).records())


class _Writer:
    def __init__(self, acis: tuple[str, ...], *, cleartext: bool) -> None:
        self._acis = acis
        self._cleartext = cleartext

    def records(self) -> Iterator[str]:
        yield entry(BASE, {"objectClass": "domain", "dc": "example", "aci": self._acis})
        for unit in (PEOPLE, GROUPS, SERVICES, SLASH_UNIT, *map(unit_dn, UNITS)):
            yield entry(unit, {"objectClass": "organizationalUnit"})
        account: dict[str, Values] = {"uid": SERVICE_LOGIN, "userPassword": self._password(SERVICE_LOGIN)}
        yield entry(SERVICE_DN, account | {"objectClass": ("account", "simpleSecurityObject")})
        yield from _policies()
        yield from self._staff()
        yield from self._special_people()
        yield from self._states()
        yield from _roles()
        yield from _groups()

    def _password(self, login: str) -> Value:
        password = people.password_of(login)
        if self._cleartext:
            return password
        salt = hashlib.sha256(login.encode()).digest()[:8]
        digest = hashlib.sha512(password.encode() + salt).digest()
        return f"{{SSHA512}}{base64.b64encode(digest + salt).decode()}"

    def _person(self, dn: str, login: str, given: str, family: str, **more: Values) -> str:
        attributes: dict[str, Values] = {
            "objectClass": ("inetOrgPerson", "inetUser"),
            "uid": login,
            "cn": f"{given} {family}",
            "givenName": given,
            "sn": family,
            "displayName": f"{given} {family}",
            "mail": f"{login}@example.org",
            "telephoneNumber": people.telephone(login),
            "userPassword": self._password(login),
        }
        return entry(dn, attributes | more)

    def _staff(self) -> Iterator[str]:
        for number, (given, family) in enumerate(people.colleagues()):
            department = DEPARTMENTS[number % len(DEPARTMENTS)]
            yield self._person(
                staff_dn(number),
                people.staff_login(number),
                given,
                family,
                title=f"{department} Specialist",
                departmentNumber=department,
                jpegPhoto=people.PHOTO if number % 7 == 0 else (),
                mail=() if number % 13 == 12 else f"{given}.{family}@example.org".lower(),
                manager=staff_dn(number % 10) if number >= 10 else (),
            )

    def _special_people(self) -> Iterator[str]:
        for login, (given, family, name) in people.ODD_NAMES.items():
            yield self._person(odd_dn(login), login, given, family, cn=name)
        for login, unit in zip(PEERS, UNITS, strict=False):
            dn = person_dn(login, unit_dn(unit))
            yield self._person(dn, login, "Jean", "Martin", mail="jean.martin@example.org")
        mails = ("two.mails@example.org", "second.mail@example.org")
        yield self._person(person_dn("twomails"), "twomails", "Two", "Mails", mail=mails)
        yield self._person(person_dn("nodisplay"), "nodisplay", "No", "Display", displayName=())
        yield self._person(multiple_dn(), MULTIPLE, "Max", "Multiple")
        tagged: dict[str, Values] = {
            "cn": "Taro Yamada",
            "cn;lang-ja": "山田 太郎",
            "cn;lang-ja;phonetic": "やまだ たろう",
            "sn;lang-ja": "山田",
            "givenName;lang-ja": "太郎",
            "displayName;lang-en": "Taro Yamada",
            "displayName": (),
            "displayName;lang-ja": "山田 太郎",
            "title;lang-ja": "主任",
        }
        yield self._person(person_dn(TAGGED), TAGGED, "Taro", "Yamada", **tagged)

    def _states(self) -> Iterator[str]:
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
        special: dict[str, dict[str, Values]] = {
            "disabled": {"nsAccountLock": "true"},
            "locked": {
                _POLICY_SUBENTRY: policy_dn("Lockout"),
                "passwordRetryCount": str(LOCKOUT_THRESHOLD),
                "retryCountResetTime": _NEVER,
                "accountUnlockTime": _NEVER,
            },
            "pwexpired": {_POLICY_SUBENTRY: policy_dn("Expiry"), "passwordExpirationTime": _LONG_AGO},
            "pwexpiring": {
                _POLICY_SUBENTRY: policy_dn("Expiry"),
                "passwordExpirationTime": f"{soon:%Y%m%d%H%M%SZ}",
                "passwordExpWarned": "0",
            },
            "grace": {_POLICY_SUBENTRY: policy_dn("Grace"), "passwordExpirationTime": _LONG_AGO},
            "mustchange": {
                _POLICY_SUBENTRY: policy_dn("Must change"),
                "passwordExpirationTime": _ADMINISTRATOR_SET,
            },
            "inactive": {"acctPolicySubentry": policy_dn("Inactivity"), "lastLoginTime": _LONG_AGO},
            "nopassword": {"userPassword": ()},
            ROLE_DISABLED: {"nsRoleDN": f"cn=nsManagedDisabledRole,{BASE}"},
            LOCKABLE: {_POLICY_SUBENTRY: policy_dn("Lockout")},
        }
        for login in (*(account.login for account in ACCOUNTS.values()), ROLE_DISABLED, LOCKABLE):
            yield self._person(person_dn(login), login, "State", login.capitalize(), **special.get(login, {}))


def _policies() -> Iterator[str]:
    yield entry(POLICIES, {"objectClass": "nsContainer"})
    expiry: dict[str, Values] = {
        "passwordExp": "on",
        "passwordMaxAge": str(90 * _DAY),
        "passwordWarning": str(7 * _DAY),
    }
    lockout: dict[str, Values] = {
        "passwordLockout": "on",
        "passwordMaxFailure": str(LOCKOUT_THRESHOLD),
        "passwordResetFailureCount": "600",
        "passwordLockoutDuration": str(_DAY),
        "passwordUnlock": "on",
    }
    policies: dict[str, dict[str, Values]] = {
        "Expiry": expiry | {"passwordGraceLimit": "0"},
        "Grace": expiry | {"passwordGraceLimit": "1000"},
        "Must change": {"passwordMustChange": "on"},
        "Lockout": lockout,
    }
    for name, policy in policies.items():
        yield entry(policy_dn(name), policy | {"objectClass": ("ldapsubentry", "passwordPolicy")})
    inactivity: dict[str, Values] = {"accountInactivityLimit": str(_DAY)}
    yield entry(policy_dn("Inactivity"), inactivity | {"objectClass": ("ldapsubentry", "accountPolicy")})


def _roles() -> Iterator[str]:
    role = ("ldapsubentry", "nsRoleDefinition")
    managed = (*role, "nsSimpleRoleDefinition", "nsManagedRoleDefinition")
    complex_role = (*role, "nsComplexRoleDefinition")
    yield entry(f"cn=Auditors,{BASE}", {"objectClass": managed, "description": "a managed role"})
    filtered = {
        "objectClass": (*complex_role, "nsFilteredRoleDefinition"),
        "nsRoleFilter": "(departmentNumber=Sales)",
    }
    yield entry(f"cn=Sellers,{BASE}", filtered)
    # What the command ns-inactivate made: a role whose members get nsAccountLock by class of service.
    disabled = f"cn=nsDisabledRole,{BASE}"
    yield entry(f"cn=nsManagedDisabledRole,{BASE}", {"objectClass": managed})
    nested = {
        "objectClass": (*complex_role, "nsNestedRoleDefinition"),
        "nsRoleDN": f"cn=nsManagedDisabledRole,{BASE}",
    }
    yield entry(disabled, nested)
    yield entry(f"cn=nsAccountInactivationTmp,{BASE}", {"objectClass": "nsContainer"})
    template = {
        "objectClass": ("extensibleObject", "costemplate", "ldapsubentry"),
        "cosPriority": "1",
        "nsAccountLock": "true",
    }
    yield entry(f'cn="{disabled}",cn=nsAccountInactivationTmp,{BASE}', template)
    definition = {
        "objectClass": ("ldapsubentry", "cosSuperDefinition", "cosClassicDefinition"),
        "cosTemplateDn": f"cn=nsAccountInactivationTmp,{BASE}",
        "cosSpecifier": "nsRole",
        "cosAttribute": "nsAccountLock operational",
    }
    yield entry(f"cn=nsAccountInactivation_cos,{BASE}", definition)


def _groups() -> Iterator[str]:
    for index, department in enumerate(DEPARTMENTS):
        members = tuple(map(staff_dn, range(index, people.HEADCOUNT, len(DEPARTMENTS))))
        unique = index % 2 == 1
        yield entry(
            group_dn(department),
            {
                "objectClass": "groupOfUniqueNames" if unique else "groupOfNames",
                "uniqueMember" if unique else "member": members,
                "description;lang-de": f"Abteilung {department}",
            },
        )
    plain = "groupOfNames"
    yield entry(
        group_dn("All Employees"), {"objectClass": plain, "member": tuple(map(group_dn, DEPARTMENTS))}
    )
    everything = (group_dn("All Employees"), odd_dn("comma"))
    yield entry(group_dn("Everything"), {"objectClass": "groupOfUniqueNames", "uniqueMember": everything})
    yield entry(group_dn("Circle A"), {"objectClass": plain, "member": (staff_dn(0), group_dn("Circle B"))})
    circle = (staff_dn(1), group_dn("Circle A"))
    yield entry(group_dn("Circle B"), {"objectClass": "groupOfUniqueNames", "uniqueMember": circle})
    yield entry(group_dn("Own Member"), {"objectClass": plain, "member": group_dn("Own Member")})
    logins = tuple(map(people.staff_login, range(5)))
    yield entry(group_dn("unix"), {"objectClass": "posixGroup", "gidNumber": "5000", "memberUid": logins})
    both = {"objectClass": (plain, "posixGroup"), "gidNumber": "5001", "memberUid": logins[:2]}
    yield entry(group_dn("both"), both | {"member": (staff_dn(0), staff_dn(1))})
    yield entry(group_dn("like AD"), {"objectClass": "group", "member": (staff_dn(2), staff_dn(3))})
    url = f"ldap:///{PEOPLE}??sub?(title=Finance*)"
    yield entry(group_dn("dynamic"), {"objectClass": "groupOfURLs", "memberURL": url})
    yield entry(group_dn("Empty"), {"objectClass": "groupOfUniqueNames"})
    yield entry(group_dn("Odd Names"), {"objectClass": plain, "member": tuple(map(odd_dn, people.ODD_NAMES))})
    yield entry(
        group_dn('Research, "odd" #1 (x*)'), {"objectClass": plain, "member": (staff_dn(0), multiple_dn())}
    )
    with_uid = (
        f"{staff_dn(0)}#'0101'B",
        staff_dn(1),
    )  # RFC 4517 section 3.3.21: a DN with a unique identifier
    yield entry(
        group_dn("Unique Identifiers"), {"objectClass": "groupOfUniqueNames", "uniqueMember": with_uid}
    )
    ghosts = (person_dn("nobody"), staff_dn(0))
    yield entry(group_dn("Ghosts"), {"objectClass": plain, "member": ghosts})
    states = tuple(account.dn for account in ACCOUNTS.values())
    yield entry(group_dn("Account States"), {"objectClass": plain, "member": states})


def _account(state: AccountState, login: str, right: BindAnswer, row: str, wrong: BindAnswer) -> Account:
    return Account(state, login, person_dn(login), people.password_of(login), right, wrong, row)


WRONG = BindAnswer(49)
"""What the server says to a wrong password, and to an unknown name."""

_EXPIRED, _EXPIRING = "2.16.840.1.113730.3.4.4", "2.16.840.1.113730.3.4.5"
_INACTIVATED = BindAnswer(53, "Account inactivated. Contact system administrator.", (), ("accountLocked",))
_LOCKED = BindAnswer(19, "Exceed password retry limit. Please try later.", (), ("accountLocked",))
_TOO_OLD = BindAnswer(49, "password expired!", (_EXPIRED,), ("passwordExpired",))
_UNUSED = BindAnswer(19, "Account inactivity limit exceeded. Contact system administrator to reset.")
_WARNED = BindAnswer(0, "", (_EXPIRING,), ("timeBeforeExpiration",))
_GRACE = BindAnswer(0, "", (_EXPIRED,), ("graceAuthNsRemaining",))
_RESET_BIND = BindAnswer(0, "", (_EXPIRED,), ("changeAfterReset",))

ACCOUNTS = {
    account.state: account
    for account in (
        _account(AccountState.ACTIVE, "active", BindAnswer(0), "S121", WRONG),
        _account(AccountState.DISABLED, "disabled", _INACTIVATED, "S123", _INACTIVATED),
        _account(AccountState.LOCKED, "locked", _LOCKED, "S124", _LOCKED),
        _account(AccountState.PASSWORD_EXPIRED, "pwexpired", _TOO_OLD, "S125", WRONG),
        _account(AccountState.PASSWORD_EXPIRING, "pwexpiring", _WARNED, "S126", WRONG),
        _account(AccountState.GRACE, "grace", _GRACE, "S127", WRONG),
        _account(AccountState.MUST_CHANGE_PASSWORD, "mustchange", _RESET_BIND, "S128", WRONG),
        _account(AccountState.INACTIVE, "inactive", _UNUSED, "S129", _UNUSED),
        _account(AccountState.NO_PASSWORD, "nopassword", WRONG, "S130", WRONG),
    )
}
