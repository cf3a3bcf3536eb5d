"""The documents of the API. People and groups have their `handle` beside what the command line prints."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from quintet.cards import Card
from quintet.directory import Container, Group, Membership, Page, Person, Resolution
from quintet.web.accounts import LONGEST_NAME, handle_of
from quintet.web.links import photo_path
from quintet.web.sessions import WebSession

LONGEST_PASSWORD = 4096


class Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457). `code` is for programs."""

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None


class SignInDocument(Document):
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    password: Annotated[SecretStr, Field(min_length=1, max_length=LONGEST_PASSWORD)]


class PersonDocument(Document):
    kind: Literal["person"] = "person"
    handle: str
    id: str
    dn: str
    name: str
    mail: str | None
    server: str

    @classmethod
    def of(cls, person: Person) -> "PersonDocument":
        return cls(
            handle=handle_of(person.id),
            id=person.id,
            dn=person.dn,
            name=person.name,
            mail=person.mail,
            server=person.server,
        )


class GroupDocument(Document):
    kind: Literal["group"] = "group"
    handle: str
    id: str
    dn: str
    name: str
    server: str

    @classmethod
    def of(cls, group: Group) -> "GroupDocument":
        return cls(handle=handle_of(group.id), id=group.id, dn=group.dn, name=group.name, server=group.server)


class ContainerDocument(Document):
    """A level to browse: its `dn` is the `dn` of the next request."""

    kind: Literal["container"] = "container"
    dn: str
    name: str
    server: str


Record = Annotated[PersonDocument | GroupDocument | ContainerDocument, Field(discriminator="kind")]
Match = Annotated[PersonDocument | GroupDocument, Field(discriminator="kind")]


def record_of(record: Person | Group | Container) -> PersonDocument | GroupDocument | ContainerDocument:
    match record:
        case Person():
            return PersonDocument.of(record)
        case Group():
            return GroupDocument.of(record)
        case Container():
            return ContainerDocument(dn=record.dn, name=record.name, server=record.server)


class SessionDocument(Document):
    person: PersonDocument
    administrator: bool

    @classmethod
    def of(cls, session: WebSession) -> "SessionDocument":
        return cls(person=PersonDocument.of(session.person), administrator=session.administrator)


class ResolutionDocument(Document):
    """`complete` is false when a server could not be asked or the list was cut (`truncated`)."""

    matches: list[Match]
    exact: bool
    complete: bool
    truncated: bool

    @classmethod
    def of(cls, found: Resolution) -> "ResolutionDocument":
        matches = [
            PersonDocument.of(each) if isinstance(each, Person) else GroupDocument.of(each)
            for each in found.matches
        ]
        return cls(matches=matches, exact=found.exact, complete=found.complete, truncated=found.truncated)


class CardDocument(Document):
    """`fields` by Detail Id; a photo is fetched from the path `photo`."""

    handle: str
    id: str
    fields: dict[str, str]
    photo: str | None

    @classmethod
    def of(cls, card: Card) -> "CardDocument":
        return cls(
            handle=handle_of(card.id),
            id=card.id,
            fields={name: each.value for name, each in card.fields.items() if isinstance(each.value, str)},
            photo=photo_path(card.id) if "Photo" in card.fields else None,
        )


class GroupsDocument(Document):
    groups: list[GroupDocument]


class PageDocument(Document):
    """One page of one level. `next` is the `page` of the request for the page after it."""

    entries: list[Record]
    next: str | None
    complete: bool

    @classmethod
    def of(cls, page: Page) -> "PageDocument":
        return cls(entries=[record_of(each) for each in page.entries], next=page.next, complete=page.complete)


class MembersDocument(Document):
    """People in the group and in the groups inside it. `missing` are members that the directory lacks."""

    group: GroupDocument
    members: list[PersonDocument]
    groups: list[GroupDocument]
    missing: list[str]
    truncated: bool

    @classmethod
    def of(cls, found: Membership) -> "MembersDocument":
        return cls(
            group=GroupDocument.of(found.group),
            members=[PersonDocument.of(each) for each in found.members],
            groups=[GroupDocument.of(each) for each in found.groups],
            missing=list(found.missing),
            truncated=found.truncated,
        )
