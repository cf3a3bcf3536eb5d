"""What a change would do to a file, as a unified diff with the secrets masked."""

import difflib
import re

from quintet.config import read_ini_source, read_xml_source

_MASK = "***"
_INI_SECRET = re.compile(
    r"(?im)^([^\S\r\n]*[^=;#\r\n]*(?:PASSWORD|PWD|SECRET)[^\S\r\n]*=[^\S\r\n]*)([^\r\n]+)"
)
_XML_NAMES = r"[\w.:-]*(?:Password|Pwd|UserEncodedAuth|Secret)"
_XML_SECRETS = (
    re.compile(rf"""(?is)(\s{_XML_NAMES}\s*=\s*)("[^"]+"|'[^']+')"""),
    re.compile(rf"(?is)(<{_XML_NAMES}\s*>)([^<]+)(?=<)"),
    re.compile(rf"""(?is)(<{_XML_NAMES}\s[^>]*?\bvalue\s*=\s*)("[^"]+"|'[^']+')"""),
)


def difference(name: str, old: bytes | None, new: bytes) -> str:
    """The lines that change in the file called `name`, with three lines around them; empty when none do.

    No password is shown: its place shows stars, in the lines around as well.
    """
    before = [] if old is None else _masked(name, old)
    after = _masked(name, new)
    lines = difflib.unified_diff(before, after, name if old is not None else "/dev/null", name, lineterm="")
    text = "\n".join(lines)
    if not text and old is not None and old != new:
        return f"--- {name}\n+++ {name}\n(only a password changes)"
    return text


def _masked(name: str, data: bytes) -> list[str]:
    if name.lower().endswith(".xml"):
        text = read_xml_source(data).text
        for pattern in _XML_SECRETS:
            text = pattern.sub(_stars, text)
    else:
        text = _INI_SECRET.sub(_stars, read_ini_source(data).text)
    return text.splitlines()


def _stars(found: re.Match[str]) -> str:
    quote = found[2][0] if found[2][0] in "\"'" else ""
    return f"{found[1]}{quote}{_MASK}{quote}"
