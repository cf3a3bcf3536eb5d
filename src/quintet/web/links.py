"""Paths and links made from values of the directory: a few schemes, each built and never taken over."""

import re
from urllib.parse import quote

_TELEPHONE = re.compile(r"\+?[0-9][0-9 ().\-/]{2,30}")
_MAIL = re.compile(r"[^\s@<>\"\ud800-\udfff]{1,64}@[^\s@<>\"\ud800-\udfff]{1,255}")


def photo_path(ident: str) -> str:
    """The path of a person's photo."""
    return f"/photos/{quote(ident, safe='', errors='surrogateescape')}"


def mail_link(text: str) -> str | None:
    """`mailto:` with the address (RFC 6068); None when it is not one."""
    return f"mailto:{quote(text, safe='@')}" if _MAIL.fullmatch(text) else None


def telephone_link(text: str) -> str | None:
    """`tel:` with the number (RFC 3966); None when it is not one."""
    if not _TELEPHONE.fullmatch(text):
        return None
    return f"tel:{''.join(each for each in text if each in '+0123456789')}"
