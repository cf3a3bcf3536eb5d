"""The LDAPServer documents of an exported `stconfig.nsf`, in Domino XML (DXL): what they say of each server.

Before Sametime 12 each LDAP server was one such document (reference 3.2). What an export looks like is known
from the format alone, and the names of its items are taken to be those of the settings (reference 3.1): no
real export was at hand. So nothing is guessed: an item counts when it bears the name of a setting, and the
others are named in a note.

An export begins with a document type, which is accepted as a line: it is not read, and nothing it might
declare is expanded. Size, depth and number of all that is read are bounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, final
from xml.parsers import expat

from quintet.admin.init.proposing import Proposal
from quintet.config import CONNECTION, EditError, Value, read_connection, unquoted
from quintet.diagnostics import Diagnostic, Diagnostics, Finding, Place, SettingsError, shown
from quintet.directory import Protection

_MOST_BYTES = 64 * 1024 * 1024
_MOST_ELEMENTS = 1_000_000
_DEEPEST = 500
_MOST_SERVERS = 100
"""As many directories as Sametime documents (reference 3.2)."""
_MOST_ITEMS = 1_000
_LONGEST_VALUE = 64 * 1024
_FORM = "ldapserver"
_VALUES = ("text", "number")
_OWN = ("form", "subject")
"""Items that Domino keeps about a document; and all that begin with a dollar sign."""
_KNOWN = {name.casefold() for setting in CONNECTION.values() for name in setting.names}
_ACCOUNT = tuple(name.casefold() for name in CONNECTION["BindEntryDn"].names)
_NOT_READ = (*_ACCOUNT, *(name.casefold() for name in CONNECTION["BindEntryPwd"].names))
"""The account is tried before it is written, and its password is asked for."""
_ABOUT_CONNECTING = ("HostName", "Port", "SSLEnabled", "SSLPort", "SearchOrder")
_MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class ExportedServer:
    """What one document says. Absent and blank items are None, or not in `connection`.

    `connection` has the settings of a `Connection`, by their names in the schema, that say something of
    people and groups. `order` is the place among the documents where none is given.
    """

    hosts: tuple[str, ...]
    port: int | None = None
    tls_port: int | None = None
    protection: Protection | None = None
    account: str | None = None
    order: int = 1
    connection: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Export:
    """The servers in search order. `problems` are warnings and notes, never errors."""

    servers: tuple[ExportedServer, ...]
    problems: tuple[Diagnostic, ...]


_FIELDS = {
    "PersonResolveBase": "person_base",
    "PersonObjectClass": "person_class",
    "PersonResolveFilter": "person_filter",
    "UserDnSearchFilter": "login_filter",
    "NameAttribute": "name_attribute",
    "EmailAttribute": "mail_attribute",
    "UserIdAttribute": "user_id_attribute",
    "GroupResolveBase": "group_base",
    "GroupObjectClass": "group_class",
    "GroupResolveFilter": "group_filter",
    "GroupMembership": "membership",
    "GroupMemberAttribute": "member_attribute",
}


def with_export(proposal: Proposal, exported: ExportedServer) -> Proposal:
    """The proposal with what the export says in place of what was found by looking."""
    said: dict[str, Any] = {
        field: text for name, field in _FIELDS.items() if (text := exported.connection.get(name))
    }
    return replace(proposal, **said)


def read_export(path: Path) -> Export:
    """What the export in a file says.

    Raises OSError, and SettingsError with every problem when it is not such an export or has values that
    can't be used.
    """
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    return parse_export(data, path)


def parse_export(data: bytes, path: Path) -> Export:
    """As `read_export`; `path` is for messages."""
    findings, name = Diagnostics(), path.name
    try:
        documents = _Reader(data).documents()
    except EditError as error:
        findings.add(error.code, Place(name, error.line), None, error.message, error.fix)
        documents = ()
    servers = [_server(each, nth, name, findings) for nth, each in enumerate(documents, 1)]
    if findings.failed:
        raise SettingsError(path.parent, findings.problems)
    _report_items(documents, name, findings)
    return Export(tuple(sorted(servers, key=lambda each: each.order)), findings.problems)


@dataclass(slots=True)
class _Item:
    """One item of a document: its text values, and whether it also has something else."""

    name: str
    line: int
    values: list[str] = field(default_factory=list)
    other: bool = False

    @property
    def text(self) -> str:
        return ",".join(each for each in self.values if each.strip())


@dataclass(slots=True)
class _Document:
    """One LDAPServer document."""

    line: int
    items: list[_Item] = field(default_factory=list)


@final
class _Reader:
    """One reading of one export. It keeps the items of LDAPServer documents, and nothing else."""

    def __init__(self, data: bytes) -> None:
        if len(data) > _MOST_BYTES:
            raise EditError(f"the file is larger than {_MOST_BYTES // 2**20} MiB", code=Finding.Q43)
        self._data = data
        self._found: list[_Document] = []
        self._path: list[str] = []
        self._elements = 0
        self._document: _Document | None = None
        self._item: _Item | None = None
        self._value: list[str] | None = None
        self._length = 0
        self._forms: dict[str, None] = {}
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = parser.SkippedEntityHandler = self._refuse_entity

    def documents(self) -> Sequence[_Document]:
        """Those of form LDAPServer. Raises `EditError`, with the line; no piece of the text is in it."""
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            what = expat.errors.messages.get(error.code) or expat.ErrorString(error.code)
            raise EditError(f"this is not well-formed XML: {what}", error.lineno) from None
        except EditError:
            raise
        except (LookupError, ValueError):  # an encoding that expat can't use
            raise EditError("the file's encoding is not supported", 1, code=Finding.Q46) from None
        if not self._found:
            forms = ", ".join(map(shown, self._forms)) or "none"
            raise EditError(
                f"there is no document with the form LDAPServer; forms in the file: {forms}",
                fix="export stconfig.nsf, or its LDAPServer documents, as Domino XML",
                code=Finding.Q72,
            )
        return self._found

    @property
    def _line(self) -> int:
        return self._parser.CurrentLineNumber

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1
        if self._elements > _MOST_ELEMENTS or len(self._path) == _DEEPEST:
            message = f"the file has more than {_MOST_ELEMENTS} elements, or they nest deeper than {_DEEPEST}"
            raise EditError(message, self._line, code=Finding.Q43)
        local = name.rpartition(":")[2].casefold()
        if self._item is not None:
            self._inside(self._item, local)
        elif self._document is not None and local == "item" and self._path[-1] == "document":
            self._begin_item(self._document, attributes.get("name", ""))
        elif self._document is None and local == "document":
            self._begin_document(attributes.get("form", ""))
        self._path.append(local)

    def _begin_document(self, form: str) -> None:
        if form.casefold() == _FORM:
            if len(self._found) == _MOST_SERVERS:
                message = f"there are more than {_MOST_SERVERS} LDAPServer documents"
                raise EditError(message, self._line, code=Finding.Q43)
            self._document = _Document(self._line)
            self._found.append(self._document)
        elif len(self._forms) < 10:
            self._forms.setdefault(form)

    def _begin_item(self, document: _Document, name: str) -> None:
        if len(document.items) == _MOST_ITEMS:
            raise EditError(f"a document has more than {_MOST_ITEMS} items", self._line, code=Finding.Q43)
        self._item = _Item(name.strip(), self._line)
        document.items.append(self._item)

    def _inside(self, item: _Item, local: str) -> None:
        if local in _VALUES:
            self._value, self._length = [], 0
        elif local == "break" and self._value is not None:
            self._value.append("\n")
        elif local not in ("textlist", "numberlist"):
            item.other = True

    def _characters(self, text: str) -> None:
        if self._value is not None:
            self._length += len(text)
            if self._length > _LONGEST_VALUE:
                message = f"an item has a value longer than {_LONGEST_VALUE} characters"
                raise EditError(message, self._line, code=Finding.Q43)
            self._value.append(text)

    def _end(self, _: str) -> None:
        local = self._path.pop()
        if self._item is not None and local in _VALUES and self._value is not None:
            self._item.values.append("".join(self._value))
            self._value = None
        elif local == "item":
            self._item = self._value = None
        elif local == "document":
            self._document = None

    def _doctype(self, _: str, __: str | None, ___: str | None, has_internal_subset: int) -> None:
        if has_internal_subset:
            message = (
                "the document type declares something in the file; only a reference to a DTD is accepted"
            )
            raise EditError(message, self._line, code=Finding.Q47)

    def _refuse_entity(self, *_: object) -> NoReturn:
        message = "an entity is used that is not one of XML itself; entities are not expanded"
        raise EditError(message, self._line, code=Finding.Q47)


def _server(document: _Document, nth: int, file: str, findings: Diagnostics) -> ExportedServer:
    place = Place(file, document.line)
    items: dict[str, Value] = {}
    for item in document.items:
        name = item.name.casefold()
        if name in items and name in _KNOWN:
            message = f"the item {shown(item.name)} is there twice; the last one counts"
            findings.add(Finding.Q50, Place(file, item.line), item.name[:60], message)
        if name in _KNOWN and item.other:
            message = f"the item {shown(item.name)} is not plain text, so it is not used"
            findings.add(Finding.Q58, Place(file, item.line), item.name[:60], message)
            continue
        items[name] = Value(item.text, item.name, Place(file, item.line))
    account = next((items[name] for name in _ACCOUNT if name in items and not items[name].blank), None)
    server = read_connection({k: v for k, v in items.items() if k not in _NOT_READ}, place, nth, findings)
    given = {
        name: next(
            items[each.casefold()].text.strip() for each in CONNECTION[name].names if each.casefold() in items
        )
        for name in server.places
    }
    protection = None
    if "SSLEnabled" in given:
        protection = Protection.ALL if server.ssl_enabled else Protection.NONE
    return ExportedServer(
        hosts=server.hosts,
        port=server.port if "Port" in given else None,
        tls_port=server.ssl_port if "SSLPort" in given else None,
        protection=protection,
        account=account.text.strip() if account is not None else None,
        order=server.search_order,
        connection={
            name: unquoted(text)
            for name, text in given.items()
            if name not in _ABOUT_CONNECTING and not CONNECTION[name].unused
        },
    )


def _report_items(documents: Sequence[_Document], file: str, findings: Diagnostics) -> None:
    """Which items say nothing that is known, each name once."""
    unknown = {
        item.name: None
        for document in documents
        for item in document.items
        if item.name.casefold() not in (*_KNOWN, *_OWN) and not item.name.startswith("$")
    }
    if unknown:
        names = ", ".join(shown(name) for name in list(unknown)[:_MOST_LISTED])
        more = f" and {len(unknown) - _MOST_LISTED} more" if len(unknown) > _MOST_LISTED else ""
        message = f"items that bear the name of no setting are not used: {names}{more}"
        findings.add(Finding.Q58, Place(file), None, message)
