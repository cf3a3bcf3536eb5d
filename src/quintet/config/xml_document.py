"""An XML file as its elements, each with what it says and where it is in the text.

Problems are reported with file and line, and one attribute is changed without touching anything else; so each
element knows its place in the text. `expat` reads the file and tells where each tag begins; the text of the
tag gives the places of its attributes. A document type is refused as soon as it begins, so that there are no
entities to expand and nothing to fetch; number and depth of the elements are bounded while they are read.
"""

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, final
from xml.parsers import expat

from quintet.config.parsers import TYPOGRAPHIC, SettingsReader, Value, character_name
from quintet.config.setting import Setting
from quintet.config.source import EditError, Lines, SourceText, by_mark, undecodable
from quintet.diagnostics import Diagnostics, Finding, Place

# XML's own blanks (XML 1.0, production 3), which are fewer than those of `\s`.
_BLANK = "[ \t\r\n]"
_ATTRIBUTE = re.compile(
    rf"""{_BLANK}+(?P<name>[^ \t\r\n=/>"']+){_BLANK}*={_BLANK}*(?P<quote>["'])(?P<value>.*?)(?P=quote)""",
    re.DOTALL,
)
_TAG_NAME = re.compile("<([^ \t\r\n/>]+)")
_TAG_END = re.compile(f"{_BLANK}*(?P<empty>/?)>")
_LATE_DECLARATION = re.compile(r"\s+<\?xml\s[^>]*\?>")
_MOST_PARTS = 5_000
_DEEPEST = 200


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute. In the text, `start` is that of its name; the value is between its quotes."""

    name: str
    value: str = field(repr=False)
    line: int
    start: int
    value_start: int
    value_stop: int


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """The `index`-th element of the file. `text` is directly in it, without the elements inside.

    In the text, its content is between `tag_stop` and `content_stop`, where its end tag begins. Names are
    without the prefix of a namespace.
    """

    index: int
    parent: int | None
    name: str
    line: int
    attributes: tuple[Attribute, ...]
    children: tuple["Element", ...]
    text: str = field(repr=False)
    empty: bool
    start: int
    tag_stop: int
    content_stop: int
    stop: int

    def is_named(self, *names: str) -> bool:
        return self.name.casefold() in {name.casefold() for name in names}

    def get(self, *names: str) -> Attribute | None:
        """The first attribute that has one of these names, in any case."""
        return next(iter(self.all(*names)), None)

    def all(self, *names: str) -> list[Attribute]:
        wanted = {name.casefold() for name in names}
        return [a for a in self.attributes if a.name.casefold() in wanted]

    def walk(self) -> Iterator["Element"]:
        """The element and all below it, in the order of the file."""
        yield self
        for child in self.children:
            yield from child.walk()

    def named(self, *names: str) -> Iterator["Element"]:
        """The element or those below it that have one of these names, in any case."""
        return (each for each in self.walk() if each.is_named(*names))


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what a document says: where an element begins or ends, a text, a comment, an instruction."""

    kind: str
    name: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class XmlDocument:
    """An XML file: its text, its elements in the order of the file, and all that it says in that order."""

    source: SourceText
    elements: tuple[Element, ...]
    parts: tuple[Part, ...] = field(repr=False)

    @property
    def root(self) -> Element:
        return self.elements[0]

    def ancestors(self, element: Element) -> Iterator[Element]:
        """The elements around `element`, the nearest first."""
        while element.parent is not None:
            element = self.elements[element.parent]
            yield element

    def content(self, element: Element) -> str:
        return self.source.text[element.tag_stop : element.content_stop]


def read_xml(data: bytes) -> XmlDocument:
    """The XML in `data`. Raises `EditError`, with the line, for what is malformed, and for document types.

    No piece of the text is in the exception: it might be a password.
    """
    source = read_xml_source(data)
    if not source.text.strip():
        raise EditError("the file is empty")
    return _Reader(source).document()


def read_root(data: bytes, findings: Diagnostics, file: str) -> Element | None:
    """The root element, or None with an error in `findings` when this is not well-formed XML."""
    try:
        return read_xml(data).root
    except EditError as error:
        findings.add(error.code, Place(file, error.line), None, error.message, error.fix)
        return None


@dataclass(slots=True)
class _Open:
    """An element whose end was not read yet."""

    index: int
    name: str
    start: int
    tag_stop: int
    empty: bool
    attributes: tuple[Attribute, ...]
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


@final
class _Reader:
    """One reading of one text."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._text = source.text
        self._lines = Lines(source.text)
        self._open: list[_Open] = []
        self._done: dict[int, Element] = {}
        self._parts: list[Part] = []
        self._count = 0
        # Where the parser is, in bytes and in characters: events come in the order of the text.
        self._bytes = _without_late_declaration(source.text).encode("utf-8", "surrogatepass")
        self._at = (0, 0)
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = parser.ordered_attributes = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.CommentHandler = lambda text: self._aside("comment", text)
        parser.ProcessingInstructionHandler = lambda name, text: self._aside(f"?{name}", text)
        parser.StartDoctypeDeclHandler = self._refuse_doctype

    def document(self) -> XmlDocument:
        # No XML has a NUL. With one at the beginning, expat takes the text for UTF-16 in any case.
        nul = self._text.find("\0")
        if nul >= 0:
            raise self._malformed(nul, _CODES[expat.errors.XML_ERROR_INVALID_TOKEN])
        try:
            self._parser.Parse(self._bytes, True)
        except expat.ExpatError as error:
            raise self._malformed(self._position(max(self._parser.ErrorByteIndex, 0)), error.code) from None
        elements = tuple(self._done[index] for index in range(len(self._done)))
        return XmlDocument(self._source, elements, tuple(self._parts))

    def _position(self, byte: int) -> int:
        """Which character begins at this byte."""
        seen, characters = self._at
        if byte < seen:
            seen = characters = 0
        characters += len(self._bytes[seen:byte].decode("utf-8", "surrogatepass"))
        self._at = (byte, characters)
        return characters

    def _start(self, name: str, written: list[str]) -> None:
        start = self._position(self._parser.CurrentByteIndex)
        self._count_more(1 + len(written) // 2)
        if len(self._open) == _DEEPEST:
            message = f"the elements nest deeper than {_DEEPEST}"
            raise EditError(message, self._lines.at(start), code=Finding.Q43)
        values = dict(zip(written[::2], written[1::2], strict=True))
        attributes, stop = self._attributes(values, start)
        end = _TAG_END.match(self._text, stop)
        assert end is not None
        index = len(self._done) + len(self._open)
        self._open.append(_Open(index, _local(name), start, end.end(), bool(end["empty"]), attributes))
        self._parts.append(Part("start", name, values))

    def _count_more(self, parts: int) -> None:
        self._count += parts
        if self._count > _MOST_PARTS:
            message = f"the file has more than {_MOST_PARTS} elements, attributes and comments"
            raise EditError(message, code=Finding.Q43)

    def _aside(self, kind: str, text: str) -> None:
        self._count_more(1)
        self._parts.append(Part(kind, text))

    def _attributes(self, values: Mapping[str, str], start: int) -> tuple[tuple[Attribute, ...], int]:
        """The attributes of the tag at `start`, and where the last one ends."""
        name = _TAG_NAME.match(self._text, start)
        assert name is not None
        stop, found = name.end(), []
        for name_there, value in values.items():
            written = _ATTRIBUTE.match(self._text, stop)
            assert written is not None
            assert written["name"] == name_there
            stop = written.end()
            if name_there != "xmlns" and not name_there.startswith("xmlns:"):
                at = written.start("name")
                line = self._lines.at(at)
                found.append(Attribute(_local(name_there), value, line, at, *written.span("value")))
        return tuple(found), stop

    def _end(self, _: str) -> None:
        opened = self._open.pop()
        content_stop = stop = opened.tag_stop
        if not opened.empty:
            content_stop = self._position(self._parser.CurrentByteIndex)
            stop = self._text.index(">", content_stop) + 1
        around = self._open[-1] if self._open else None
        element = Element(
            index=opened.index,
            parent=None if around is None else around.index,
            name=opened.name,
            line=self._lines.at(opened.start),
            attributes=opened.attributes,
            children=tuple(opened.children),
            text="".join(opened.texts),
            empty=opened.empty,
            start=opened.start,
            tag_stop=opened.tag_stop,
            content_stop=content_stop,
            stop=stop,
        )
        self._done[opened.index] = element
        if around is not None:
            around.children.append(element)
        self._parts.append(Part("end"))

    def _characters(self, text: str) -> None:
        self._open[-1].texts.append(text)
        self._parts.append(Part("text", text))

    def _refuse_doctype(self, *_: object) -> NoReturn:
        line = self._lines.at(self._position(self._parser.CurrentByteIndex))
        message = "the file has a document type (<!DOCTYPE), which could include other files"
        raise EditError(message, line, code=Finding.Q47)

    def _malformed(self, position: int, code: int) -> EditError:
        position, what = _explain(self._text, position, code)
        line, column = self._lines.place(position)
        return EditError(f"the XML is malformed at column {column}: {what}", line)


def _local(name: str) -> str:
    """A name without the prefix of its namespace."""
    return name.rpartition(":")[2] or name


def _without_late_declaration(text: str) -> str:
    """The text, its XML declaration made blank where that follows blanks: it says nothing that is needed."""
    found = _LATE_DECLARATION.match(text)
    return text if found is None else re.sub(r"[^\r\n]", " ", found[0]) + text[found.end() :]


# What is wrong with XML that is not well formed. Never a piece of the text: it might be a password.

_CODES = expat.errors.codes
_MEANINGS = {
    _CODES[expat.errors.XML_ERROR_TAG_MISMATCH]: "an end tag does not close the element that is open",
    _CODES[expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE]: "an attribute is there twice in one element",
    _CODES[expat.errors.XML_ERROR_NO_ELEMENTS]: "the file ends before all its elements are closed",
    _CODES[
        expat.errors.XML_ERROR_UNCLOSED_TOKEN
    ]: "the file ends inside a tag, or in a comment that begins here",
    _CODES[expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION]: "the file ends before the CDATA section is closed",
    _CODES[expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: "something follows the end of the root element",
    _CODES[expat.errors.XML_ERROR_BAD_CHAR_REF]: "a character is written by a number that XML does not allow",
    _CODES[
        expat.errors.XML_ERROR_MISPLACED_XML_PI
    ]: "the XML declaration is not at the beginning of the file",
}
_ENTITY = _CODES[expat.errors.XML_ERROR_UNDEFINED_ENTITY]
_REFERENCE = re.compile(r"&(#[0-9]+|#x[0-9A-Fa-f]+|lt|gt|amp|quot|apos);")
# Outside of values, `>` would end the tag.
_TAG_SO_FAR = re.compile(r"""(?>(?:[^>"']|"[^"]*"|'[^']*')*)(?:["'].*)?""", re.DOTALL)
_AMPERSAND = re.compile(r"&[#\w:.-]*\Z")


def _explain(text: str, at: int, code: int) -> tuple[int, str]:
    """Where the fault is and what it is, of what expat found to be wrong at `at`."""
    if text.lstrip()[:1] != "<":
        return 0, "this is not XML; the file must begin with <"
    bare = None
    if code == _ENTITY:
        bare = next((m.start() for m in re.finditer("&", text) if _is_bare(text, m.start(), at)), None)
    elif code not in _MEANINGS and (found := _AMPERSAND.search(text, text.rfind("&", 0, at + 1), at)):
        bare = found.start()
    if bare is not None:
        return bare, "a bare & (ampersand) is here; write &amp;"
    if code in _MEANINGS:
        return at, _MEANINGS[code]
    return _explain_token(text, at)


def _is_bare(text: str, ampersand: int, after: int) -> bool:
    return ampersand >= after and _REFERENCE.match(text, ampersand) is None


def _explain_token(text: str, at: int) -> tuple[int, str]:
    """What is wrong with the character at `at`, which cannot be there."""
    tag = text.rfind("<", 0, at)
    if re.match(r"<StorageType\s*=", text[tag:]):
        return at, '<StorageType="LDAP"> is not XML; write <Storage type="LDAP">'
    in_tag = tag >= 0 and _TAG_SO_FAR.fullmatch(text, tag, at) is not None
    start = tag if in_tag else at
    quote = next((p for p in range(start, min(at + 1, len(text))) if text[p] in TYPOGRAPHIC), None)
    if quote is not None:
        return quote, f'{character_name(text[quote])} is here; write a straight quote (")'
    char = text[at : at + 1]
    if char < " " and char not in "\t\r\n":
        return at, "a control character is here, which XML does not allow"
    if in_tag and char == "<":
        return at, "a bare < (less-than sign) is inside a value; write &lt;"
    if in_tag and text[tag:at].rstrip().endswith("="):
        return at, 'the value of an attribute must be in straight quotes: NAME="VALUE"'
    if in_tag:
        return at, 'an attribute must be written NAME="VALUE", with a blank before it'
    return at, "the text does not follow the rules of XML"


# Its encoding (XML 1.0, appendix F).

_DECLARED = re.compile(rb"""\A<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
# An ASCII character at the beginning, in one of the two byte orders, and no mark before it.
_BARE_UTF_16 = re.compile(rb"\A(?:[^\0]\0(?!\0)|\0[^\0])", re.DOTALL)


def read_xml_source(data: bytes) -> SourceText:
    """The text: by its byte order mark, its declaration, else UTF-8."""
    marked = by_mark(data)
    if marked is not None:
        return marked
    if _BARE_UTF_16.match(data):
        raise undecodable("the file looks like UTF-16 without a byte order mark")
    declared = _DECLARED.match(data)
    encoding = declared[1].decode() if declared else "utf-8"
    says = f'the XML declaration says encoding="{encoding}"' if declared else "the file declares no encoding"
    try:
        codecs.lookup(encoding)
        # What was read of the declaration is ASCII, so the encoding must be one that contains it.
        if declared is not None and "<?xml".encode(encoding) != b"<?xml":
            fix = 'write encoding="UTF-8" in the declaration, and save the file as UTF-8'
            raise undecodable(f"{says}, but the file is not written in it", fix=fix)
        text = data.decode(encoding)
        written_back = text.encode(encoding)
    except LookupError:
        raise undecodable(f"{says}, which is not a known encoding of text") from None
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("latin-1")
        where = Lines(before).at(len(before))
        raise undecodable(f"{says}, but the file is not written in {encoding}", where) from None
    except UnicodeError:  # of codecs that are not for text, such as "idna" and "undefined"
        raise undecodable(f"{says}, which is not an encoding for files") from None
    if written_back != data:
        raise undecodable(f"{says}, which cannot be written back as it was")
    return SourceText(text, encoding)


# The settings in it (config 3.1): by attribute, or by a child with text or an attribute `value`.


@dataclass(frozen=True, slots=True)
class Holder:
    """Where a setting is written: in an attribute of `element`, or in its text when that is None."""

    element: Element
    attribute: Attribute | None
    name: str

    @property
    def value(self) -> str:
        if self.attribute is not None:
            return self.attribute.value
        text = self.element.text
        return text.strip() if "\n" in text else text  # text on lines of its own is laid out

    @property
    def line(self) -> int:
        return self.element.line if self.attribute is None else self.attribute.line


def holders(element: Element, names: Sequence[str]) -> list[Holder]:
    """All that `element` itself says of a setting. Names compare without case."""
    return [
        *(Holder(element, each, each.name) for each in element.all(*names)),
        *(Holder(each, each.get("value"), each.name) for each in element.children if each.is_named(*names)),
    ]


def settings_of(
    levels: Sequence[Element], table: Mapping[str, Setting], file: str, findings: Diagnostics
) -> SettingsReader:
    """Reads the settings of an element: each from the first of `levels` that has it.

    Of several on one level the last counts, with a warning.
    """

    def get(setting: Setting) -> Value | None:
        found = next((found for level in levels if (found := holders(level, setting.names))), None)
        return None if found is None else _last(found, file, findings)

    return SettingsReader(table, get, findings)


def settings_below(
    root: Element, table: Mapping[str, Setting], file: str, findings: Diagnostics
) -> SettingsReader:
    """Reads settings that count wherever in the file they are; the last of several does."""

    def get(setting: Setting) -> Value | None:
        found = [holder for each in root.walk() for holder in holders(each, setting.names)]
        return _last(found, file, findings) if found else None

    return SettingsReader(table, get, findings)


def _last(found: Sequence[Holder], file: str, findings: Diagnostics) -> Value:
    *others, last = found
    place = Place(file, last.line)
    for other in others:
        message = (
            f"{other.name} in line {other.line} and {last.name} in line {last.line} are the same setting;"
            " the last"
            f" one, {last.name}, is used"
        )
        findings.add(Finding.Q50, place, last.name, message, f"remove {other.name}")
    return Value(last.value, last.name, place)
