"""A directory in memory behind the port's interface: for faults that a real server does not have."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from quintet.directory.errors import AuthenticationError, DirectoryError, UnknownGroupError, UnknownNameError
from quintet.directory.records import Container, Group, Membership, Page, Person, Resolution

SERVER = "ldap.example.org"


def user_id(name: str) -> str:
    return f"uid={name},ou=people,dc=example,dc=org"


def group_id(name: str) -> str:
    return f"cn={name},ou=groups,dc=example,dc=org"


def person(name: str, server: str = SERVER) -> Person:
    return Person(user_id(name), user_id(name), f"{name.title()} Example", f"{name}@example.org", server)


def group(name: str, server: str = SERVER) -> Group:
    return Group(group_id(name), group_id(name), name.title(), server)


@dataclass
class FakeDirectory:
    """All passwords are "secret". `failure` is raised by all tasks; `gate` holds them back."""

    people: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failure: DirectoryError | None = None
    gate: asyncio.Event | None = None
    calls: Counter[str] = field(default_factory=Counter)
    more_matches: dict[str, tuple[Person | Group, ...]] = field(default_factory=dict)
    unavailable: tuple[str, ...] = ()
    password: str = "secret"

    @classmethod
    def of(cls, *names: str, **groups: tuple[str, ...]) -> "FakeDirectory":
        return cls({name: person(name) for name in names}, groups)

    async def _called(self, task: str) -> None:
        self.calls[task] += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure.renewed()

    async def authenticate(self, name: str, password: str) -> Person:
        await self._called("authenticate")
        found = self._find(name)
        if found is None or password != self.password:
            raise AuthenticationError(reason="a reason for the log")
        return found

    async def resolve_login(self, name: str) -> Person:
        await self._called("resolve_login")
        found = self._find(name)
        if found is None:
            raise UnknownNameError("nobody has this login name")
        return found

    async def resolve(self, name: str, *, people: bool = True, groups: bool = True) -> Resolution:
        await self._called("resolve")
        found: list[Person | Group] = []
        if people:
            found += [each for key, each in self.people.items() if key.startswith(name) or each.id == name]
        if groups:
            found += [group(key) for key in self.groups if key.startswith(name) or group_id(key) == name]
        found += self.more_matches.get(name, ())
        return Resolution(tuple(found), exact=len(found) == 1, complete=True, unavailable=self.unavailable)

    async def browse(self, dn: str | None = None, *, page_size: int = 100, token: str | None = None) -> Page:
        await self._called("browse")
        if dn is None:
            return Page((Container("dc=example,dc=org", "Example", SERVER),), None)
        if dn == "dc=example,dc=org":
            return Page((Container("ou=people,dc=example,dc=org", "people", SERVER),), None)
        start = int(token or 0)
        everybody = sorted(self.people.values(), key=lambda each: each.id)
        end = start + page_size
        return Page(tuple(everybody[start:end]), str(end) if end < len(everybody) else None)

    async def members(self, group: str, *, limit: int | None = None) -> Membership:
        await self._called("members")
        for name, members in self.groups.items():
            if group in (name, group_id(name)):
                people = tuple(person(each) for each in members)
                return Membership(_group(name), people, (), (), truncated=False, limit=limit or 1000)
        raise UnknownGroupError("no public group has this name")

    async def groups_of(self, person: Person, *, depth: int = 4) -> tuple[Group, ...]:
        await self._called("groups_of")
        return tuple(
            _group(name)
            for name, members in self.groups.items()
            if person.id in {user_id(each) for each in members}
        )

    def _find(self, name: str) -> Person | None:
        return next((each for key, each in self.people.items() if name in (key, each.id)), None)


_group = group
