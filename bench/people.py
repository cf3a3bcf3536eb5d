"""The organisation that both measurements ask about: people, groups, and how everything is named.

Everything about a person follows from the uid, so that a client can check each answer without a table.
"""

import base64
import random
from collections.abc import Iterator

BASE = "o=bench"
PEOPLE = 10_000
GROUPS = 200
MEMBERS = 50
READER = f"uid=reader,{BASE}"
READER_PASSWORD = "reader-secret"

_PREFIX = "person"


def uid(number: int) -> str:
    return f"{_PREFIX}{number:05}"


def dn(name: str) -> str:
    return f"uid={name},ou=people,{BASE}"


def mail(name: str) -> str:
    return f"{name}@bench.example"


def full_name(name: str) -> str:
    """The display name. No display name is the beginning of another, so a prefix search finds one entry."""
    digits = name.removeprefix(_PREFIX)
    return f"Given{digits} Last{digits[2:]}"


def password(name: str) -> str:
    return f"{name}-secret"


def group(name: str) -> str:
    """The display name of one of the groups, the same one each time for a person."""
    return f"Group {int(name.removeprefix(_PREFIX)) % GROUPS:03}"


def group_dn(name: str) -> str:
    return f"cn={name},ou=groups,{BASE}"


def photo(name: str) -> bytes:
    """2 KiB that begin like a JPEG, and end with what only this person's has."""
    end = f"{name}-end-of-photo".encode()
    return b"\xff\xd8\xff\xe0" + bytes(2048 - 4 - len(end)) + end


def ldif(count: int = PEOPLE, *, photos: bool = False) -> bytes:
    """The organisation, and the service account that may read it. Passwords are stored as they are."""
    entries = [
        f"dn: {BASE}\nobjectClass: organization\no: bench\n",
        f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n",
        f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups\n",
        (
            f"dn: {READER}\nobjectClass: account\nobjectClass: simpleSecurityObject\nuid: reader\n"
            f"userPassword: {READER_PASSWORD}\n"
        ),
    ]
    return "\n".join(
        [*entries, *_people(count, photos=photos), *(_groups() if count == PEOPLE else ())]
    ).encode()


def _people(count: int, *, photos: bool) -> Iterator[str]:
    for number in range(count):
        name = uid(number)
        given, last = full_name(name).split()
        picture = f"jpegPhoto:: {base64.b64encode(photo(name)).decode()}\n" if photos else ""
        yield (
            f"dn: {dn(name)}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {given} {last}\n"
            f"givenName: {given}\nsn: {last}\nmail: {mail(name)}\ntelephoneNumber: +49 30 {number:05}\n"
            f"title: Engineer\nuserPassword: {password(name)}\n{picture}"
        )


def _groups() -> Iterator[str]:
    chosen = random.Random(0)
    for number in range(GROUPS):
        name = group(uid(number))
        members = "".join(f"member: {dn(uid(each))}\n" for each in chosen.sample(range(PEOPLE), MEMBERS))
        yield f"dn: {group_dn(name)}\nobjectClass: groupOfNames\ncn: {name}\n{members}"
