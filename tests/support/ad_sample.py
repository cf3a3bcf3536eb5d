"""A domain as companies have it, in LDIF for Active Directory: some 300 people and what goes wrong with them.

A user's password is `people.password_of(login name)`. `ACCOUNTS` says what a real server answered for each
account state; numbers such as S12 are rows of docs/design/directory-servers.md.
"""

from collections.abc import Iterator

from support import people
from support.accounts import Account, AccountState, BindAnswer
from support.ldif import Values, add, delete, modify, rdn

REALM = "corp.example.com"
DOMAIN = "CORP"
BASE = "DC=corp,DC=example,DC=com"
PEOPLE = f"OU=People,{BASE}"
GROUPS = f"OU=Groups,{BASE}"
CONTACTS = f"OU=Contacts,{BASE}"
SERVICES = f"OU=Service Accounts,{BASE}"
COMPUTERS = f"CN=Computers,{BASE}"
USERS = f"CN=Users,{BASE}"
SLASH_UNIT = f"{rdn('OU', 'Research / Development')},{PEOPLE}"
UNITS = ("Berlin", "Köln", "東京", "New York")
DEPARTMENTS = ("Engineering", "Sales", "Finance", "Support", "Legal & Risk")

SERVICE_LOGIN = "svc-sametime"
SERVICE_DN = f"CN=Sametime Reader,{SERVICES}"
SERVICE_PASSWORD = people.password_of(SERVICE_LOGIN)
ADMINISTRATOR_PASSWORD = people.password_of("Administrator")

PEERS = ("jmartin", "jmartin2")
"""Two users with the same display name and the same mail address."""
LOCKABLE = "lockable"
"""A user whom `LOCKOUT_THRESHOLD` failed attempts lock, and nobody has locked yet."""
SHARED_MAILBOX = "info"
"""A disabled account with a mail address, as Exchange makes for a shared mailbox."""
TRUST = "PARTNER$"
"""The account of a trusted domain: a `user`, of category person, and no human."""
LEAVER = "leaver"
"""A user who was deleted, and whose group memberships went with them."""

QUERY_POLICY = ",".join(
    (
        *("CN=Default Query Policy", "CN=Query-Policies", "CN=Directory Service"),
        *("CN=Windows NT", "CN=Services", "CN=Configuration", BASE),
    )
)
"""The entry with the server's limits (S65)."""
LOCKOUT_THRESHOLD = 5
CONTACT_COUNT = 1600
COMPUTER_COUNT = 20
CONTRACTOR_COUNT = 5
BIG_GROUP = "Newsletter"
"""A group of `CONTACT_COUNT` contacts: more than the 1,500 values that Active Directory gives at once."""
PRIMARY_GROUP = "Contractors"
"""The primary group of the contractors: its `member` is empty."""

BYPASS_PASSWORD_RULES = "local_oid:1.3.6.1.4.1.7165.4.3.12:0"
PERMIT_TRUST_ACCOUNT = "local_oid:1.3.6.1.4.1.7165.4.3.23:0"
"""Samba's own controls, for `ldbmodify --controls`; no server accepts them from the network."""

# userAccountControl and groupType: MS-ADTS 2.2.16, 2.2.12
_DISABLED, _NO_PASSWORD, _NORMAL, _TRUST, _COMPUTER, _SMART_CARD = 0x2, 0x20, 0x200, 0x800, 0x1000, 0x40000
_GLOBAL, _DOMAIN_LOCAL, _UNIVERSAL, _SECURITY = 2, 4, 8, -0x80000000
_LONG_AGO = 129_067_776_000_000_000  # 2010-01-01 in units of 100 ns since 1601
_SECOND = 10_000_000
_MINUTE = 60 * _SECOND
_DAY = 24 * 60 * _MINUTE
_CONFLICT = "Twin\nCNF:11111111-2222-3333-4444-555555555555"


def person_dn(common_name: str, unit: str = PEOPLE) -> str:
    return f"{rdn('CN', common_name)},{unit}"


def staff_dn(number: int) -> str:
    """The DN of an ordinary user, 0 to 269."""
    given, family = people.colleagues()[number]
    return person_dn(f"{given} {family}", unit_dn(UNITS[number % len(UNITS)]))


def odd_dn(login: str) -> str:
    """The DN of a user of `people.ODD_NAMES`."""
    return person_dn(people.ODD_NAMES[login][2], SLASH_UNIT if login == "slash" else PEOPLE)


def state_dn(login: str) -> str:
    """The DN of a user who is there for the state of the account."""
    return person_dn(f"State {login}")


def contractor_dn(number: int) -> str:
    """The DN of a member of `PRIMARY_GROUP`, 1 to `CONTRACTOR_COUNT`."""
    return person_dn(f"Contractor {number}")


def group_dn(name: str) -> str:
    return f"{rdn('CN', name)},{GROUPS}"


def unit_dn(name: str) -> str:
    return f"{rdn('OU', name)},{PEOPLE}"


def conflict_dn() -> str:
    """The DN of an entry that lost a replication conflict: a line feed stands in its name."""
    return f"CN={_CONFLICT},{PEOPLE}".replace("\n", "\\0A")


def password_value(password: str) -> bytes:
    """A value of unicodePwd (MS-ADTS 3.1.1.3.1.5)."""
    return f'"{password}"'.encode("utf-16-le")


def entries() -> str:
    """What is added to a fresh domain, every entry after the one above it."""
    return "".join(
        [
            modify(BASE, "replace", {"maxPwdAge": str(-(2**63)), "minPwdAge": "0"}),  # passwords never expire
            *_containers(),
            *_staff(),
            *_special_people(),
            *_states(),
            *_machines_and_contacts(),
            *_groups(),
            *_password_policies(),
        ]
    )


def trust_account() -> str:
    """To be loaded with `PERMIT_TRUST_ACCOUNT`."""
    attributes = {
        "objectClass": "user",
        "sAMAccountName": TRUST,
        "userAccountControl": str(_NO_PASSWORD | _TRUST),
    }
    return add(person_dn(TRUST, USERS), attributes)


def aged_password() -> str:
    """To be loaded with `BYPASS_PASSWORD_RULES`: a password that is too old."""
    return modify(state_dn("pwexpired"), "replace", {"pwdLastSet": str(_LONG_AGO)})


def changes(primary_group_rid: int) -> str:
    """To be loaded when `entries` are there; the RID is that of `PRIMARY_GROUP`."""
    rid = {"primaryGroupID": str(primary_group_rid)}
    return "".join(
        [
            *(modify(contractor_dn(number), "replace", rid) for number in range(1, CONTRACTOR_COUNT + 1)),
            modify(state_dn("mustchange"), "replace", {"pwdLastSet": "0"}),
            delete(person_dn("Former Colleague")),
        ]
    )


def _containers() -> Iterator[str]:
    for unit in (PEOPLE, GROUPS, CONTACTS, SERVICES, SLASH_UNIT, *map(unit_dn, UNITS)):
        yield add(unit, {"objectClass": "organizationalUnit"})


def _user(dn: str, login: str, given: str, family: str, **more: Values) -> str:
    attributes: dict[str, Values] = {
        "objectClass": "user",
        "sAMAccountName": login,
        "userPrincipalName": f"{login}@{REALM}",
        "givenName": given,
        "sn": family,
        "displayName": f"{given} {family}",
        "mail": f"{login}@example.com",
        "telephoneNumber": people.telephone(login),
        "userAccountControl": str(_NORMAL),
        "unicodePwd": password_value(people.password_of(login)),
    }
    return add(dn, attributes | more)


def _staff() -> Iterator[str]:
    for number, (given, family) in enumerate(people.colleagues()):
        department = DEPARTMENTS[number % len(DEPARTMENTS)]
        yield _user(
            staff_dn(number),
            people.staff_login(number),
            given,
            family,
            department=department,
            title=f"{department} Specialist",
            company="Example Ltd",
            thumbnailPhoto=people.PHOTO if number % 7 == 0 else (),
            mail=() if number % 13 == 12 else f"{given}.{family}@example.com".lower(),
            manager=staff_dn(number % 10) if number >= 10 else (),
        )


def _special_people() -> Iterator[str]:
    yield _user(SERVICE_DN, SERVICE_LOGIN, "Sametime", "Reader", mail=())
    for login, (given, family, _) in people.ODD_NAMES.items():
        yield _user(odd_dn(login), login, given, family)
    for login, unit in zip(PEERS, UNITS, strict=False):
        dn = person_dn("Jean Martin", unit_dn(unit))
        yield _user(dn, login, "Jean", "Martin", mail="jean.martin@example.com")
    proxies = ("SMTP:two.mails@example.com", "smtp:second.mail@example.com", "sip:two@example.com")
    mail = "two.mails@example.com"
    yield _user(person_dn("Two Mails"), "twomails", "Two", "Mails", mail=mail, proxyAddresses=proxies)
    differing = {"userPrincipalName": "rita.different@example.com", "mail": "r.d@partner.example"}
    yield _user(person_dn("Rita Different"), "rdiff", "Rita", "Different", **differing)
    yield _user(person_dn("No Display Name"), "nodisplay", "No", "Display", displayName=())
    yield _user(person_dn("Inet Person"), "inetperson", "Inet", "Person", objectClass="inetOrgPerson")
    yield _user(person_dn("Former Colleague"), LEAVER, "Former", "Colleague")
    mailbox = {"userAccountControl": str(_NORMAL | _DISABLED), "mail": "info@example.com"}
    yield _user(person_dn("Info Desk"), SHARED_MAILBOX, "Info", "Desk", **mailbox)
    for number in range(1, CONTRACTOR_COUNT + 1):
        yield _user(contractor_dn(number), f"contractor{number}", "Contractor", str(number))
    # Of a name with a line feed, Samba takes only what it would itself have made of it.
    yield add(
        conflict_dn(), {"objectClass": "user", "sAMAccountName": "twin", "userAccountControl": str(_NORMAL)}
    )


def _states() -> Iterator[str]:
    special: dict[str, dict[str, Values]] = {
        "disabled": {"userAccountControl": str(_NORMAL | _DISABLED)},
        "expired": {"accountExpires": str(_LONG_AGO)},
        "nohours": {"logonHours": bytes(21)},
        "otherpc": {"userWorkstations": "ELSEWHERE"},
        "smartcard": {"userAccountControl": str(_NORMAL | _SMART_CARD)},
        "nopassword": {"userAccountControl": str(_NORMAL | _NO_PASSWORD), "unicodePwd": ()},
    }
    for login in (*(account.login for account in ACCOUNTS.values()), LOCKABLE):
        yield _user(state_dn(login), login, "State", login.capitalize(), **special.get(login, {}))


def _machines_and_contacts() -> Iterator[str]:
    for number in range(1, COMPUTER_COUNT + 1):
        name = f"PC-{number:04}"
        attributes = {
            "objectClass": "computer",
            "sAMAccountName": f"{name}$",
            "userAccountControl": str(_COMPUTER),
            "dNSHostName": f"{name.lower()}.{REALM}",
            "displayName": f"{name}$",
        }
        yield add(person_dn(name, COMPUTERS), attributes)
    managed = {
        "objectClass": "msDS-GroupManagedServiceAccount",
        "sAMAccountName": "backup$",
        "userAccountControl": str(_COMPUTER),
        "msDS-ManagedPasswordInterval": "30",
    }
    yield add(person_dn("backup", f"CN=Managed Service Accounts,{BASE}"), managed)
    for number in range(1, CONTACT_COUNT + 1):
        mail = f"reader{number:04}@newsletter.example"
        yield add(_contact_dn(number), {"objectClass": "contact", "sn": f"{number:04}", "mail": mail})


def _contact_dn(number: int) -> str:
    return person_dn(f"Reader {number:04}", CONTACTS)


def _group(name: str, kind: int, members: tuple[str, ...] = (), **more: Values) -> str:
    attributes: dict[str, Values] = {
        "objectClass": "group",
        "sAMAccountName": name,
        "groupType": str(kind),
        "member": members,
    }
    return add(group_dn(name), attributes | more)


def _groups() -> Iterator[str]:
    security = _SECURITY | _GLOBAL
    for index, department in enumerate(DEPARTMENTS):
        members = tuple(map(staff_dn, range(index, people.HEADCOUNT, len(DEPARTMENTS))))
        yield _group(department, security, members, mail=f"{department.split()[0].lower()}@example.com")
    everybody = (*map(group_dn, DEPARTMENTS), person_dn("Two Mails"), person_dn("Former Colleague"))
    yield _group("All Employees", _SECURITY | _UNIVERSAL, everybody)
    outsiders = f"CN=S-1-5-11,CN=ForeignSecurityPrincipals,{BASE}"
    yield _group("Everything", _SECURITY | _DOMAIN_LOCAL, (group_dn("All Employees"), outsiders))
    contractors = tuple(map(contractor_dn, range(1, CONTRACTOR_COUNT + 1)))
    yield _group(PRIMARY_GROUP, security, contractors)
    readers = tuple(map(_contact_dn, range(1, CONTACT_COUNT + 1)))
    yield _group(BIG_GROUP, _UNIVERSAL, readers, mail="newsletter@example.com")
    yield _group("Empty", security)
    yield _group("Odd Names", security, tuple(map(odd_dn, people.ODD_NAMES)))
    yield _group("Account States", security, tuple(account.dn for account in ACCOUNTS.values()))
    yield _group("Devices", security, tuple(person_dn(f"PC-{number:04}", COMPUTERS) for number in (1, 2, 3)))
    yield _group('Research, "odd" #1 (x*)', _UNIVERSAL, (staff_dn(0),), sAMAccountName="odd-group")
    yield _group("Circle A", _SECURITY | _UNIVERSAL, (staff_dn(0),))
    yield _group("Circle B", _SECURITY | _UNIVERSAL, (group_dn("Circle A"), staff_dn(1)))
    yield modify(group_dn("Circle A"), "add", {"member": group_dn("Circle B")})
    yield _group("Own Member", _UNIVERSAL)
    yield modify(group_dn("Own Member"), "add", {"member": group_dn("Own Member")})


def _password_policies() -> Iterator[str]:
    """Fine-grained policies, so that only the users who are there for it are locked or expire."""
    plain: dict[str, Values] = {
        "objectClass": "msDS-PasswordSettings",
        "msDS-PasswordReversibleEncryptionEnabled": "FALSE",
        "msDS-PasswordHistoryLength": "0",
        "msDS-PasswordComplexityEnabled": "FALSE",
        "msDS-MinimumPasswordLength": "0",
        "msDS-MinimumPasswordAge": "0",
        "msDS-MaximumPasswordAge": str(-(2**63)),
        "msDS-LockoutThreshold": "0",
        "msDS-LockoutObservationWindow": str(-30 * _MINUTE),
        "msDS-LockoutDuration": str(-1 * _DAY),
    }
    ageing: dict[str, Values] = {
        "msDS-PasswordSettingsPrecedence": "10",
        "msDS-MaximumPasswordAge": str(-42 * _DAY),
        "msDS-PSOAppliesTo": state_dn("pwexpired"),
    }
    locking: dict[str, Values] = {
        "msDS-PasswordSettingsPrecedence": "20",
        "msDS-LockoutThreshold": str(LOCKOUT_THRESHOLD),
        "msDS-PSOAppliesTo": (state_dn("locked"), state_dn(LOCKABLE)),
    }
    container = f"CN=Password Settings Container,CN=System,{BASE}"
    yield add(person_dn("Passwords age", container), plain | ageing)
    yield add(person_dn("Accounts lock", container), plain | locking)


def _refused(data: str) -> BindAnswer:
    text = f"80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {data}, v1db1"
    return BindAnswer(49, text)


def _account(state: AccountState, login: str, right: BindAnswer, row: str, wrong: BindAnswer) -> Account:
    return Account(state, login, state_dn(login), people.password_of(login), right, wrong, row)


WRONG = _refused("52e")
"""What the server says to a wrong password, and to an unknown name."""

ACCOUNTS = {
    account.state: account
    for account in (
        _account(AccountState.ACTIVE, "active", BindAnswer(0), "S20", WRONG),
        _account(AccountState.DISABLED, "disabled", _refused("533"), "S22", WRONG),
        _account(AccountState.LOCKED, "locked", _refused("775"), "S23", _refused("775")),
        _account(AccountState.EXPIRED, "expired", _refused("701"), "S24", WRONG),
        _account(AccountState.PASSWORD_EXPIRED, "pwexpired", _refused("532"), "S25", WRONG),
        _account(AccountState.MUST_CHANGE_PASSWORD, "mustchange", _refused("773"), "S26", WRONG),
        _account(AccountState.OUTSIDE_LOGON_HOURS, "nohours", _refused("530"), "S27", WRONG),
        _account(AccountState.WRONG_WORKSTATION, "otherpc", _refused("531"), "S28", WRONG),
        _account(AccountState.SMART_CARD_REQUIRED, "smartcard", WRONG, "S29", WRONG),
        _account(AccountState.NO_PASSWORD, "nopassword", WRONG, "S29", WRONG),
    )
}
