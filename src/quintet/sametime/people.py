"""What the Sametime port asks of the directory. `quintet.directory.Directory` does it; tests may, too."""

from typing import Protocol

from quintet.directory import Group, Membership, Page, Person, Resolution


class CommunityDirectory(Protocol):
    """The tasks of the directory. Each may raise any `DirectoryError`."""

    async def authenticate(self, name: str, password: str) -> Person:
        """The user, if the password is theirs. Raises AuthenticationError."""

    async def resolve_login(self, name: str) -> Person:
        """The one user with this login name. Raises UnknownNameError, AmbiguousNameError."""

    async def resolve(self, name: str, *, people: bool = True, groups: bool = True) -> Resolution:
        """Users and groups for a name as typed, or for an ID."""

    async def browse(self, dn: str | None = None, *, page_size: int = 100, token: str | None = None) -> Page:
        """One page of a level. Raises BrowsingDisabledError, InvalidPageTokenError and others."""

    async def members(self, group: str, *, limit: int | None = None) -> Membership:
        """The content of a public group. Raises UnknownGroupError, AmbiguousNameError."""

    async def groups_of(self, person: Person, *, depth: int = 4) -> tuple[Group, ...]:
        """The groups of a user."""
