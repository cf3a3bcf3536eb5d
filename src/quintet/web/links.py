"""Paths and links made from values of the directory."""

from urllib.parse import quote


def photo_path(ident: str) -> str:
    """The path of a person's photo."""
    return f"/photos/{quote(ident, safe='', errors='surrogateescape')}"
