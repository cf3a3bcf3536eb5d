"""What is wrong with XML that is not well formed: line, column and the character at fault (reference, D15).

Never a piece of the text itself: it might be a password.
"""

import re
import unicodedata

from quintet.config.parsers import TYPOGRAPHIC
from quintet.config.source import EditError

_REFERENCE = re.compile(r"&(#[0-9]+|#x[0-9A-Fa-f]+|lt|gt|amp|quot|apos);")
_ROWS_BEFORE = 2

# What libxml2 says, by a part of it that holds nothing of the file's text.
_MEANINGS = (
    ("'<' not allowed", "a bare < (less-than sign) stands inside a value; write &lt; for it"),
    ("redefined", "an attribute stands twice in one element; remove one of the two"),
    ("mismatch", "an element is closed by the end tag of another"),
    ("Premature end", "the file ends before all its elements are closed"),
    ("EndTag", "an end tag is damaged"),
    ("Extra content", "something follows the end of the outermost element"),
    ("Start tag expected", "this is not XML; the file must begin with <"),
    ("invalid character", "a control character stands here, which XML does not allow"),
    ("Char 0x", "a control character stands here, which XML does not allow"),
    ("CharRef", "a character is written by a number that XML does not allow"),
    ("ttribute", 'an attribute must be written NAME="VALUE", with a blank before it'),
    ("AttValue", 'the value of an attribute must stand in straight quotes: NAME="VALUE"'),
    ("depth", "the elements nest too deep"),
    ("huge", "a value is too long"),
)


def explain(text: str, line: int, column: int, said: str) -> EditError:
    """The damage that libxml2 found there, in words. Lines of `text` end with LF."""
    rows = text.split("\n")
    row = rows[line - 1] if 0 < line <= len(rows) else ""
    if re.search(r"<StorageType\s*=", row):
        return _damage(line, column, '<StorageType="LDAP"> is not XML; write <Storage type="LDAP">')
    if "Entity" in said or "CharRef" in said:
        bare = next((m.start() for m in re.finditer("&", row) if not _REFERENCE.match(row, m.start())), None)
        if bare is not None:
            return _damage(line, bare + 1, "a bare & (ampersand) stands here; write &amp; for it")
    for back, candidate in enumerate(reversed(rows[max(0, line - 1 - _ROWS_BEFORE) : line])):
        quote = next((c for c in candidate if c in TYPOGRAPHIC), None)
        if quote is not None and (back == 0 or "'<'" in said):
            what = f'{_called(quote)} stands here; write a straight quote (") for it'
            return _damage(line - back, candidate.index(quote) + 1, what)
    meaning = next((meaning for part, meaning in _MEANINGS if part in said), None)
    return _damage(line, column, meaning or "the text does not follow the rules of XML")


def _damage(line: int, column: int, what: str) -> EditError:
    return EditError(f"the XML is malformed at column {column}: {what}", line or None)


def _called(char: str) -> str:
    return f"{unicodedata.name(char, 'a character').lower()} (U+{ord(char):04X})"
