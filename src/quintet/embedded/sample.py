"""A sample organisation of some 500 people who do not exist, the same on every machine.

It loads into any server with the core, cosine and inetOrgPerson schemas. Telephone numbers are of ranges set
aside for fiction, mail addresses of a domain set aside for examples.
"""

import base64
import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TypeVar

from quintet.embedded import names, portrait
from quintet.ldap import Entry, escape_dn_value
from quintet.ldap.ldif import write

BASE = "o=example"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
READER = f"cn=reader,{BASE}"
READER_PASSWORD = "reader-Quintet1"  # noqa: S105  # the account of a made-up organisation

_HEADCOUNT = 480

_UNITS = {  # a unit and those inside it: the weight says how many people work there
    ("Engineering",): 4,
    ("Engineering", "Platform"): 10,
    ("Engineering", "Security"): 6,
    ("Engineering", "Client Software"): 9,
    ("Research",): 6,
    ("Research", "Language & Speech"): 3,
    ("Sales",): 4,
    ("Sales", "Europe"): 9,
    ("Sales", "Americas"): 9,
    ("Sales", "Asia/Pacific"): 7,
    ("Customer Care",): 12,
    ("Finance",): 7,
    ("Human Resources",): 5,
    ("Legal, Risk and Audit",): 4,
    ("Zürich Branch",): 3,
}

_TITLES = {
    "Engineering": "Software Engineer,Senior Engineer,Test Engineer,Site Reliability Engineer,Team Lead",
    "Research": "Researcher,Research Fellow,Data Scientist,Laboratory Manager",
    "Sales": "Account Manager,Sales Engineer,Sales Representative,Regional Manager",
    "Customer Care": "Support Agent,Support Engineer,Service Manager,Trainer",
    "Finance": "Accountant,Controller,Payroll Specialist,Purchaser",
    "Human Resources": "Recruiter,HR Partner,Learning Manager",
    "Legal, Risk and Audit": "Counsel,Compliance Officer,Auditor",
    "Zürich Branch": "Branch Manager,Consultant,Office Manager",
}

_PLACES = (
    "1 Harbour Street$Northbridge NB1 2EX",
    "22 Mill Lane$Eastford EF4 5GH",
    "7 Market Square$Southam SM9 1JK",
    "140 Station Road$Westerly WY6 7LM",
)

_SPECIAL = (  # given name, family name, common name, uid, unit: names that are hard on parsers
    ("Barry", "Lee", "Lee, Barry Jr.", "blee", ("Sales", "Americas")),
    ("Jane", "Jones", 'Jane "JJ" Jones', "jjones", ("Customer Care",)),
    ("John", "Smith", "John Smith (Contractor)", "jsmith.ext", ("Engineering", "Platform")),
    ("John", "Smith", "John Smith", "jsmith", ("Finance",)),
    ("John", "Smith", "John Smith", "jsmith2", ("Research",)),
    ("Night", "Shift", "Night*Shift Lead", "nightshift", ("Customer Care",)),
    ("Help", "Desk", "#1 Help Desk", "helpdesk", ("Customer Care",)),
    ("Ops", "On-Call", "Ops/On-Call", "oncall", ("Engineering", "Platform")),
    ("R+D", "Liaison", "R+D Liaison", "rdliaison", ("Research",)),
    ("Back", "Slash", "Back\\Slash Account", "backslash", ("Engineering", "Security")),
    ("Ann", "Semi", "Ann; Temp <Desk 4>", "asemi", ("Human Resources",)),
    ("Equal", "Pay", "Equal=Pay Officer", "equalpay", ("Human Resources",)),
    ("Percy", "Cent", "100%s Percy", "pcent", ("Sales", "Europe")),
    ("Jürgen", "Groß", "Jürgen Groß", "jgross", ("Zürich Branch",)),
    ("Αλέξης", "Ζορμπάς", "Αλέξης Ζορμπάς", "azorbas", ("Legal, Risk and Audit",)),
)


def password_of(uid: str) -> str:
    """The password of the sample person with this `uid`: the uid, then `-Quintet1`."""
    return f"{uid}-Quintet1"


@cache
def entries() -> tuple[Entry, ...]:
    """The whole organisation, every entry after the one above it."""
    people = tuple(_people())
    return (
        _entry(BASE, "organization", o="example", description="A made-up organisation"),
        _entry(
            READER,
            "organizationalRole simpleSecurityObject",
            cn="reader",
            description="The account that services search with",
            userPassword=READER_PASSWORD,
        ),
        _entry(PEOPLE, "organizationalUnit", ou="people"),
        *(_entry(_unit_dn(unit), "organizationalUnit", ou=unit[-1]) for unit in _UNITS),
        *people,
        _entry(GROUPS, "organizationalUnit", ou="groups"),
        *_groups(people),
    )


def ldif() -> bytes:
    """The organisation as LDIF, for `slapadd` and other servers."""
    return b"".join(write(entries()))


_Value = str | bytes | Sequence[str]


def _entry(dn: str, classes: str, **attributes: _Value) -> Entry:
    def values(value: _Value) -> list[bytes]:
        if isinstance(value, bytes):
            return [value]
        return [each.encode() for each in ((value,) if isinstance(value, str) else value)]

    given = {name: values(value) for name, value in attributes.items() if value}
    return Entry(dn, {"objectClass": values(("top", *classes.split())), **given})


def _unit_dn(unit: Sequence[str]) -> str:
    return ",".join([*(f"ou={escape_dn_value(each)}" for each in reversed(unit)), PEOPLE])


_Choice = TypeVar("_Choice")


def _pick(choices: Sequence[_Choice], *why: object) -> _Choice:
    """One of `choices`, always the same for the same reasons."""
    digest = hashlib.sha256(repr(why).encode()).digest()
    return choices[int.from_bytes(digest[:8], "big") % len(choices)]


def _people() -> Iterator[Entry]:
    uids, taken = set[str](), set[tuple[str, tuple[str, ...]]]()
    for number, (given, family, cn, uid, unit) in enumerate(_SPECIAL):
        uids.add(uid)
        yield _person(number, (cn,), given, family, uid, unit)
    desks = [unit for unit, weight in _UNITS.items() for _ in range(weight)]
    for number in range(len(_SPECIAL), _HEADCOUNT):
        unit = _pick(desks, number, "unit")
        attempt = 0
        while True:
            (given, given_latin), (family, family_latin) = _name(number, attempt)
            cn = f"{family} {given}" if family[0] in names.EASTERN else f"{given} {family}"
            if (cn, unit) not in taken:
                break
            attempt += 1
        taken.add((cn, unit))
        uid = stem = _ascii(given_latin)[:1] + _ascii(family_latin)
        count = 1
        while uid in uids:
            count += 1
            uid = f"{stem}{count}"
        uids.add(uid)
        spellings = dict.fromkeys((cn, f"{given_latin} {family_latin}"))
        yield _person(number, tuple(spellings), given, family, uid, unit)
    yield _person(
        _HEADCOUNT,
        ("Sam Doe",),
        "Sam",
        "Doe",
        "sdoe",
        ("Finance",),
        rdn=f"cn=Sam Doe+employeeNumber={10_000 + _HEADCOUNT}",
    )


def _name(*why: int) -> tuple[names.Name, names.Name]:
    if _pick(range(8), why, "script") == 0:
        given, family = _pick(names.OTHER_SCRIPTS, why, "which")
    else:
        given, family = names.LATIN_GIVEN, names.LATIN_FAMILY
    return _pick(given, why, "given"), _pick(family, why, "family")


_LETTERS = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ı": "i", "ð": "d", "ß": "ss", "đ": "d"})


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS)).encode("ascii", "ignore").decode()
    return "".join(filter(str.isalpha, plain)).lower()


def _person(
    number: int,
    cn: tuple[str, ...],
    given: str,
    family: str,
    uid: str,
    unit: tuple[str, ...],
    rdn: str | None = None,
) -> Entry:
    title = _pick(_TITLES[unit[0]].split(","), uid, "title")
    place = _pick(_PLACES, uid, "place")
    return _entry(
        f"{rdn or 'cn=' + escape_dn_value(cn[0])},{_unit_dn(unit)}",
        "person organizationalPerson inetOrgPerson",
        cn=cn,
        sn=family,
        givenName=given,
        displayName=cn[0],
        uid=uid,
        mail=f"{uid}@example.com",
        employeeNumber=str(10_000 + number),
        title=title,
        ou=unit[-1],
        l=place.split("$")[1].split()[0],
        postalAddress=place,
        telephoneNumber=f"+44 1632 96{number:04d}",
        mobile=f"+44 7700 900{number:03d}" if number % 3 else "",
        jpegPhoto=portrait.draw(uid) if number % 7 else b"",
        userPassword=_salted(password_of(uid), uid),
    )


def _salted(password: str, uid: str) -> str:
    salt = hashlib.sha256(uid.encode()).digest()[:8]
    digest = hashlib.sha1(password.encode() + salt, usedforsecurity=False).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def _groups(people: tuple[Entry, ...]) -> Iterator[Entry]:
    everyone = [person.dn for person in people]

    def group_dn(name: str) -> str:
        return f"cn={escape_dn_value(name)},{GROUPS}"

    def group(name: str, members: Sequence[str], description: str) -> Entry:
        # The schema wants a member. The empty name names no entry, and servers accept it.
        return _entry(
            group_dn(name), "groupOfNames", cn=name, description=description, member=members or ("",)
        )

    def some(which: int, of: int) -> list[str]:
        return everyone[which::of]

    for unit in _UNITS:
        if len(unit) == 1:
            below = _unit_dn(unit)
            staff = [dn for dn in everyone if dn.endswith(f",{below}")]
            yield group(f"{unit[0]} Team", staff, f"All of {unit[0]}")
    yield group("All Staff", everyone, "All people, in one large group")
    yield group(
        "Product",
        [group_dn("Engineering Team"), group_dn("Research Team"), everyone[0]],
        "Groups in a group",
    )
    yield group("Company", [group_dn("Product"), group_dn("Sales Team")], "Groups in groups in a group")
    yield group("Empty Room", (), "A group without members")
    yield group("Circle East", [group_dn("Circle West"), *some(3, 100)], "Holds Circle West")
    yield group("Circle West", [group_dn("Circle East"), *some(4, 100)], "Holds Circle East")
    yield group("Ouroboros", [group_dn("Ouroboros"), everyone[20]], "Holds itself")
    yield group("Chess Club", some(5, 40), "Thursdays in the canteen")
    yield group("Running/Cycling", some(6, 30), "A slash in the name")
    yield group("Board (Executive), #1", some(7, 60), "Parentheses, a comma and a number sign in the name")
    yield group('Café "Zum Stern*"', some(8, 60), "Quotes, a star and a letter beyond ASCII in the name")
    yield group("C++ Guild", some(9, 45), "Pluses in the name")
    yield group("書道部", some(10, 80), "A name that is not in Latin letters")
    yield group(
        "Alumni", [*some(11, 90), f"cn=Long Gone,{PEOPLE}"], "One of its members is not there any more"
    )
    yield _entry(
        group_dn("Fire Wardens"),
        "groupOfUniqueNames",
        cn="Fire Wardens",
        description="A group of the other kind",
        uniqueMember=some(12, 50),
    )
