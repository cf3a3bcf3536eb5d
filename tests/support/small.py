"""A small organisation in LDIF, for tests that want to know every entry: people, groups, a circle, odd names.

The password of each is `<uid>-secret`. `cn=reader` is the service account, its password `reader-secret`.
"""

import base64
from collections.abc import Iterable

BASE = "o=example"
PEOPLE = "ou=people,o=example"
GROUPS = "ou=groups,o=example"
READER_DN = "cn=reader,o=example"
READER_PASSWORD = "reader-secret"
ODD_GROUP = 'Research, "odd" #1 (x*)'

_NAMES = {
    "alice": ("Alice", "Adams"),
    "bob": ("Bob", "Brown"),
    "carol": ("Carol", "Clark"),
    "dave": ("Dave", "Davis"),
    "erin": ("Erin", "Evans"),
    "jose": ("José", "Núñez"),
    "smith1": ("John", "Smith"),
    "smith2": ("Johanna", "Smith"),
    "comma": ("Kim", "Lee, Jr."),
    "odd": ("Star*", "(Paren) \\Slash #1"),
}


_ODD_DNS = {
    "comma": rf"cn=Kim Lee\, Jr.,{PEOPLE}",
    "odd": rf"cn=Star* (Paren) \\Slash #1,{PEOPLE}",
}


def person_dn(uid: str) -> str:
    return _ODD_DNS.get(uid, f"uid={uid},{PEOPLE}")


def group_dn(name: str) -> str:
    return rf"cn=Research\, \"odd\" #1 (x*),{GROUPS}" if name == ODD_GROUP else f"cn={name},{GROUPS}"


_GROUPS = {
    "engineers": (person_dn("alice"), person_dn("bob"), person_dn("jose")),
    "sales": (person_dn("carol"), person_dn("dave")),
    "everybody": (group_dn("engineers"), group_dn("sales"), person_dn("erin")),
    "circle-a": (group_dn("circle-b"), person_dn("alice")),
    "circle-b": (group_dn("circle-a"), person_dn("bob")),
    ODD_GROUP: (person_dn("comma"), person_dn("odd"), person_dn("alice")),
    "ghosts": (person_dn("nobody"), person_dn("alice")),
}


def _entry(dn: str, pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(_line(name, value) for name, value in (("dn", dn), *pairs)) + "\n"


def _line(name: str, value: str) -> str:
    plain = value.isascii() and value.isprintable() and value == value.strip() and value[:1] not in ":<"
    return f"{name}: {value}" if plain else f"{name}:: {base64.b64encode(value.encode()).decode()}"


def _person(uid: str, given: str, last: str) -> str:
    pairs = [
        ("objectClass", "inetOrgPerson"),
        ("uid", uid),
        ("cn", f"{given} {last}"),
        ("givenName", given),
        ("sn", last),
        ("mail", f"{uid}@example.com"),
        ("telephoneNumber", f"+49 30 {1000 + list(_NAMES).index(uid)}"),
        ("title", "Engineer"),
        ("userPassword", f"{uid}-secret"),
    ]
    return _entry(person_dn(uid), pairs)


def _group(name: str, members: tuple[str, ...]) -> str:
    pairs = [("objectClass", "groupOfNames"), ("cn", name), *(("member", member) for member in members)]
    return _entry(group_dn(name), pairs)


LDIF: bytes = "\n".join(
    [
        _entry(BASE, [("objectClass", "organization"), ("o", "example")]),
        _entry(PEOPLE, [("objectClass", "organizationalUnit"), ("ou", "people")]),
        _entry(GROUPS, [("objectClass", "organizationalUnit"), ("ou", "groups")]),
        _entry(
            READER_DN,
            [
                *(
                    ("objectClass", name)
                    for name in ("organizationalRole", "simpleSecurityObject", "uidObject")
                ),
                ("cn", "reader"),
                ("uid", "reader"),
                ("userPassword", READER_PASSWORD),
            ],
        ),
        *(_person(uid, *names) for uid, names in _NAMES.items()),
        *(_group(name, members) for name, members in _GROUPS.items()),
    ]
).encode()
