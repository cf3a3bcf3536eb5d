"""SASLprep (RFC 4013): names and passwords that look the same become the same bytes."""

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """`text` prepared as a query: characters unknown to Unicode 3.2 are let through.

    Raises ValueError for characters that are prohibited; the message does not repeat the text.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in text
        if not stringprep.in_table_b1(char) or stringprep.in_table_c12(char)
    )
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(prohibited(char) for char in prepared for prohibited in _PROHIBITED):
        raise ValueError("it has characters that SASLprep prohibits (RFC 4013)")
    if any(map(stringprep.in_table_d1, prepared)) and not _sound_bidirectional(prepared):
        raise ValueError("it mixes directions of writing as SASLprep prohibits (RFC 3454 section 6)")
    return prepared


def _sound_bidirectional(text: str) -> bool:
    return (
        stringprep.in_table_d1(text[0])
        and stringprep.in_table_d1(text[-1])
        and not any(map(stringprep.in_table_d2, text))
    )
